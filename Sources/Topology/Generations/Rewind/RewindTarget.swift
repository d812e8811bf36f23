package import StreamCore

/// Where a rewind goes back to.
package enum RewindTarget: Hashable, Sendable {
  case earliest
  case time(Timestamp)
  /// Partitions not named follow by the time of the first named record.
  case offsets([TopicPartition: Offset])
}

package struct RewindOptions: Hashable, Sendable {
  /// Begins at the target with empty state, instead of the state as of the target.
  package var fromEmpty = false
  /// Goes on although records before the target are gone.
  package var allowTruncated = false
  /// Removes the generation that served before, once the new one does.
  package var dropPrevious = false
  /// Keeps and sends again what was sent before.
  package var sendsOutputs = false

  package init() {}
}

extension RewindTarget {
  /// `earliest`, a time, or `TOPIC-PARTITION@OFFSET,…`.
  ///
  /// - Throws: ``StreamCore/LogError`` with `.invalid`.
  package init(parsing text: String) throws(LogError) {
    if text == "earliest" {
      self = .earliest
    } else if text.contains("@") {
      var offsets: [TopicPartition: Offset] = [:]
      for part in text.split(separator: ",") {
        guard let position = TopicPosition(parsing: String(part)) else { throw Self.invalid(text) }
        offsets[position.topicPartition] = position.offset
      }
      self = .offsets(offsets)
    } else {
      do { self = .time(try Timestamp(parsing: text)) } catch { throw Self.invalid(text) }
    }
  }

  private static func invalid(_ text: String) -> LogError {
    LogError(
      .invalid,
      "'\(text)' is no target: earliest, an RFC 3339 time or epoch milliseconds, or "
        + "TOPIC-PARTITION@OFFSET separated by commas")
  }
}

extension RewindOptions {
  init(_ arguments: [String: String]) {
    fromEmpty = arguments["fromEmpty"] == "true"
    allowTruncated = arguments["allowTruncated"] == "true"
    dropPrevious = arguments["dropPrevious"] == "true"
    sendsOutputs = arguments["outputs"] == "all"
  }
}

/// `TOPIC-PARTITION@OFFSET` as text.
package struct TopicPosition: Hashable, Sendable, CustomStringConvertible {
  package let topicPartition: TopicPartition
  package let offset: Offset

  package init?(parsing text: String) {
    guard let at = text.lastIndex(of: "@"), let offset = Offset(text[text.index(after: at)...]),
      let dash = text[..<at].lastIndex(of: "-"), dash != text.startIndex,
      let partition = Int(text[text.index(after: dash)..<at]), partition >= 0
    else { return nil }
    topicPartition = TopicPartition(String(text[..<dash]), partition)
    self.offset = offset
  }

  package var description: String { "\(topicPartition)@\(offset)" }
}
