import CRdKafka
import StreamCore
import Synchronization

/// One of librdkafka's client instances: a handle, its threads and its callbacks.
///
/// `@unchecked Sendable`: the handle is set once, librdkafka's functions on it are thread-safe
/// (rdkafka.h, "thread-safe"), and ``close()`` is called by its owner when nobody uses it.
@safe final class KafkaClient: @unchecked Sendable {
  enum Role { case consumer, producer }

  let handle: OpaquePointer
  let events: ClientEvents
  let settings: KafkaSettings
  private let opaque: Unmanaged<ClientEvents>
  private let closed = Atomic(false)

  /// - Parameter serving: whether the client's queue is served by somebody, and callbacks with it.
  /// - Throws: ``LogError`` with `.invalid` and librdkafka's text for a property it refuses.
  init(
    _ role: Role, _ settings: KafkaSettings, properties: [(name: String, value: String)],
    serving: Bool = false
  ) throws(LogError) {
    let configuration = try unsafe Configuration.make(properties)
    let events = ClientEvents()
    let opaque = unsafe Unmanaged.passRetained(events)
    unsafe rd_kafka_conf_set_opaque(configuration, opaque.toOpaque())
    unsafe ClientEvents.install(on: configuration, serving: serving)
    if role == .producer { unsafe Deliveries.install(on: configuration) }
    let type = role == .consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER
    let (handle, problem) = unsafe withErrorText {
      unsafe rd_kafka_new(type, configuration, $0, $1)
    }
    guard let handle = unsafe handle else {
      unsafe rd_kafka_conf_destroy(configuration)
      unsafe opaque.release()
      throw LogError(.invalid, "Kafka options for \(settings.url): \(problem)")
    }
    unsafe self.handle = handle
    self.events = events
    self.settings = settings
    unsafe self.opaque = unsafe opaque
  }

  /// Ends librdkafka's threads. Queues and messages of this client are destroyed before.
  func close() {
    guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    // Closing a consumer waits for its group, also where nothing was ever assigned: up to 45 s
    // when no broker answers. Those with an assignment have been closed before.
    unsafe rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    unsafe opaque.release()
  }

  deinit { close() }

  /// - Parameter action: what was tried, as "read the end of orders-0".
  func failure(_ error: rd_kafka_resp_err_t, _ action: String) -> LogError {
    let code = LogError.Code(error)
    guard code == .unreachable else {
      return LogError(code, "cannot \(action) at \(settings.url): \(text(of: error))")
    }
    let words = events.lastWords.map { "; librdkafka last said: \($0)" } ?? ""
    return LogError(
      .unreachable,
      "cannot \(action) at \(settings.url): \(text(of: error)) (brokers \(settings.brokers), "
        + "waited up to \(settings.requestTimeout))\(words); is the broker running, and do address "
        + "and security options fit?")
  }
}

/// Calls a function that reports problems as text.
func withErrorText<Result>(
  _ body: (UnsafeMutablePointer<CChar>, Int) -> Result
) -> (Result, String) {
  unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
    // SAFETY: the capacity is not zero, so there is a base address; zeroed, it is a C string.
    unsafe buffer.initialize(repeating: 0)
    let base = unsafe buffer.baseAddress.unsafelyUnwrapped
    let result = unsafe body(base, 512)
    return (result, unsafe String(cString: base))
  }
}
