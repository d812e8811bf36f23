package import StreamCore

/// A record of a site's inputs, with what it is meant to bring about.
package struct SiteRecord: Hashable, Sendable {
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Goes through.
    case ok
    /// Fails in an operator while the world is broken.
    case bad
    /// Fails in an operator while the world is broken, then at the sink until it is whole.
    case brittle
    /// Fails always.
    case poison
    /// Sets a timer.
    case timer
    /// Sets a timer that fails to fire while the world is broken.
    case badTimer
    /// Creates the row of its key, or adds to it.
    case create
    /// Needs the row of its key.
    case update
  }

  /// The same for all deliveries of one event; other content has another.
  package var uid: Int
  package var kind: Kind
  package var topic: String
  package var partition: Int
  package var offset: Offset = -1
  package var key: Int
  /// The event's id.
  package var id: String
  /// Milliseconds; even, so that timers of the two kinds are never due at one time.
  package var time: Int64
  /// Its time is so far ahead that it moves no clock.
  package var isAhead = false
  /// When the log took it; of records that are ahead.
  package var logTime: Int64 = 0

  package var keyText: String { "k\(key)" }

  /// What its id is unique under.
  package var name: String { "\(topic)/\(id)" }
  /// Where it lies, as text.
  package var place: String { "\(topic)-\(partition)@\(offset)" }

  /// Where it lies, as its dead letter's headers say.
  var publishedPlace: String { "\(topic)/\(partition)/\(offset)" }

  package var producerRecord: ProducerRecord {
    ProducerRecord(
      key: Array(keyText.utf8), value: Array("\(uid) \(kind.rawValue)".utf8),
      headers: [Header("eventId", id)], timestamp: Timestamp(milliseconds: time),
      partition: partition)
  }

  /// When its timer is due; `nil` where it sets none.
  package var due: Int64? {
    switch kind {
    case .timer: time + SiteShape.delay
    case .badTimer: time + SiteShape.delay + 1
    default: nil
    }
  }

  /// What its timer sends.
  package var firing: String? { due.map { "\(keyText)@\($0)" } }
}

/// An event as it flows through the operators.
package struct SiteEvent: Hashable, Sendable {
  package let uid: Int
  package let kind: SiteRecord.Kind
}
