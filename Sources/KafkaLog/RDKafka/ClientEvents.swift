import CRdKafka
import Synchronization

/// What librdkafka's threads tell about a client: it is the opaque of the client's callbacks.
final class ClientEvents: Sendable {
  private struct State {
    var lastWords: String?
    var allBrokersDownSince: ContinuousClock.Instant?
  }
  private let state = Mutex(State())

  /// The last warning or error that librdkafka logged or reported.
  var lastWords: String? { state.withLock { $0.lastWords } }
  var allBrokersDownSince: ContinuousClock.Instant? {
    state.withLock { $0.allBrokersDownSince }
  }

  /// Keeps `words`, unless they only sum up what was said before: "1/1 brokers are down".
  func say(_ words: String) {
    state.withLock { state in
      if state.lastWords == nil || !words.hasSuffix("brokers are down") { state.lastWords = words }
    }
  }
  func allBrokersAreDown() {
    state.withLock { $0.allBrokersDownSince = $0.allBrokersDownSince ?? .now }
  }
  func brokerAnswered() { state.withLock { $0.allBrokersDownSince = nil } }

  /// Sends librdkafka's log here instead of to standard error.
  ///
  /// - Parameter serving: whether somebody serves the client's queue; its errors then come as
  ///   calls, otherwise librdkafka logs them.
  static func install(on configuration: OpaquePointer, serving: Bool) {
    unsafe rd_kafka_conf_set_log_cb(configuration) { client, level, facility, text in
      // Warnings about properties that only the other kind of client reads are no news.
      guard level <= 4, let text = unsafe text, let opaque = unsafe rd_kafka_opaque(client) else {
        return
      }
      if let facility = unsafe facility, unsafe String(cString: facility) == "CONFWARN" { return }
      // SAFETY: the opaque is a ClientEvents that its client keeps until librdkafka's threads
      // have ended.
      unsafe Unmanaged<ClientEvents>.fromOpaque(opaque).takeUnretainedValue()
        .say(String(cString: text))
    }
    guard serving else { return }
    unsafe rd_kafka_conf_set_error_cb(configuration) { _, error, reason, opaque in
      guard let opaque = unsafe opaque else { return }
      // SAFETY: as above.
      let events = unsafe Unmanaged<ClientEvents>.fromOpaque(opaque).takeUnretainedValue()
      if error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN.rawValue {
        events.allBrokersAreDown()
      } else if let reason = unsafe reason {
        unsafe events.say(String(cString: reason))
      }
    }
  }
}
