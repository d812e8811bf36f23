import CRdKafka
import Glibc
import StreamCore
import Synchronization

/// An idempotent producer and the thread that serves its delivery reports.
final class Producer: Sendable {
  let client: KafkaClient
  /// Librdkafka's `message.max.bytes`: key, value and headers of one record.
  let recordBytesMax: Int
  private let server: CallbackServer

  init(_ settings: KafkaSettings) throws(LogError) {
    recordBytesMax = try settings.recordBytesMax()
    client = try KafkaClient(.producer, settings, properties: settings.producer, serving: true)
    server = try CallbackServer(client)
  }

  /// Whether librdkafka has given this producer up for good.
  var isFatal: Bool {
    unsafe withErrorText { text, size in unsafe rd_kafka_fatal_error(client.handle, text, size) }
      .0 != RD_KAFKA_RESP_ERR_NO_ERROR
  }

  /// Gives up all records that wait or are under way; the latter may be in the log all the same.
  func giveUp() {
    unsafe rd_kafka_purge(
      client.handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
  }

  /// Hands one record to librdkafka, which copies it; its report goes to `index` of `deliveries`.
  ///
  /// - Parameter givesUp: whether to give up what waits, where that leaves no room.
  /// - Throws: ``LogError`` for a record that was not taken, and so gets no report.
  func send(
    _ record: ProducerRecord, to topic: String, _ deliveries: Deliveries, _ index: Int,
    givesUp: () -> Bool
  ) throws(LogError) {
    deliveries.expectOne()
    let error = unsafe send(record, to: topic, slot: deliveries.slot(index), givesUp)
    guard error != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    deliveries.expectOneLess()
    throw client.failure(error, "append to '\(topic)'")
  }

  /// Where the records went, once all reports are there.
  ///
  /// - Throws: ``LogError`` for the first record that was given up.
  func results(_ deliveries: Deliveries, _ topic: String) throws(LogError) -> [AppendResult] {
    var results: [AppendResult] = []
    results.reserveCapacity(deliveries.count)
    for index in 0..<deliveries.count {
      let (error, partition, offset) = deliveries[index]
      guard error == RD_KAFKA_RESP_ERR_NO_ERROR else {
        let failure = client.failure(
          error, "append record \(index + 1) of \(deliveries.count) to '\(topic)'")
        throw explained(error, failure)
      }
      // An offset of librdkafka's own below zero means that none is known.
      results.append(
        AppendResult(topicPartition: TopicPartition(topic, partition), offset: max(offset, -1)))
    }
    return results
  }

  private func explained(_ error: rd_kafka_resp_err_t, _ failure: LogError) -> LogError {
    let reason: String
    switch error {
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
      reason =
        "the topic's 'message.timestamp.after.max.ms' (1 hour, unless set) or "
        + "'message.timestamp.before.max.ms' refuses a time so far from the broker's clock; raise it"
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
      RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      reason =
        "the topic's 'max.message.bytes' is below 'message.max.bytes' (\(recordBytesMax)), which may "
        + "be lowered to it"
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
      reason = "a compacted topic takes no record without a key"
    default: return failure
    }
    return LogError(failure.code, "\(failure.message); \(reason)")
  }

  private func send(
    _ record: ProducerRecord, to topic: String, slot: UnsafeMutableRawPointer,
    _ givesUp: () -> Bool
  ) -> rd_kafka_resp_err_t {
    var time = record.timestamp?.milliseconds ?? 0
    let headers = unsafe makeHeaders(record, time: &time)
    var error = unsafe send(record, topic, headers, time, slot)
    while error == RD_KAFKA_RESP_ERR__QUEUE_FULL {
      // The serving thread makes room; a report of ours is among what it serves.
      usleep(1_000)
      if givesUp() { giveUp() }
      error = unsafe send(record, topic, headers, time, slot)
    }
    if error != RD_KAFKA_RESP_ERR_NO_ERROR, let headers = unsafe headers {
      unsafe rd_kafka_headers_destroy(headers)
    }
    return error
  }

  private func makeHeaders(_ record: ProducerRecord, time: inout Int64) -> OpaquePointer? {
    let hidden = record.timestamp.flatMap { HiddenTime.isNeeded($0) ? $0.milliseconds : nil }
    guard hidden != nil || !record.headers.isEmpty else { return nil }
    let headers = unsafe rd_kafka_headers_new(record.headers.count + 1)
    for header in record.headers {
      unsafe add(header.name, header.value, to: headers)
    }
    if let hidden {
      time = HiddenTime.stand
      unsafe add(HiddenTime.header, Array(String(hidden).utf8), to: headers)
    }
    return unsafe headers
  }

  private func add(_ name: String, _ value: [UInt8]?, to headers: OpaquePointer?) {
    guard let value else {
      unsafe rd_kafka_header_add(headers, name, -1, nil, 0)
      return
    }
    unsafe value.withUnsafeBytes { bytes in
      // An empty value needs an address all the same: without one it is null.
      unsafe withUnsafeBytes(of: UInt8(0)) { none in
        let address = unsafe bytes.isEmpty ? none.baseAddress : bytes.baseAddress
        unsafe rd_kafka_header_add(headers, name, -1, address, bytes.count)
      }
    }
  }

  private func send(
    _ record: ProducerRecord, _ topic: String, _ headers: OpaquePointer?, _ time: Int64,
    _ slot: UnsafeMutableRawPointer
  ) -> rd_kafka_resp_err_t {
    unsafe topic.withCString { topic in
      unsafe withAddress(record.key) { key in
        unsafe withAddress(record.value) { value in
          unsafe withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 8) { fields in
            var count = 0
            func add(_ type: rd_kafka_vtype_t, _ set: (inout rd_kafka_vu_t) -> Void) {
              var field = unsafe rd_kafka_vu_t()
              unsafe field.vtype = type
              unsafe set(&field)
              unsafe (fields.baseAddress.unsafelyUnwrapped + count).initialize(to: field)
              count += 1
            }
            unsafe add(RD_KAFKA_VTYPE_TOPIC) { unsafe $0.u.cstr = unsafe topic }
            unsafe add(RD_KAFKA_VTYPE_PARTITION) {
              unsafe $0.u.i32 = record.partition.map(Int32.init) ?? RD_KAFKA_PARTITION_UA
            }
            unsafe add(RD_KAFKA_VTYPE_MSGFLAGS) { unsafe $0.u.i = RD_KAFKA_MSG_F_COPY }
            unsafe add(RD_KAFKA_VTYPE_KEY) {
              unsafe $0.u.mem = unsafe .init(ptr: key.0, size: key.1)
            }
            unsafe add(RD_KAFKA_VTYPE_VALUE) {
              unsafe $0.u.mem = unsafe .init(ptr: value.0, size: value.1)
            }
            unsafe add(RD_KAFKA_VTYPE_TIMESTAMP) { unsafe $0.u.i64 = time }
            unsafe add(RD_KAFKA_VTYPE_OPAQUE) { unsafe $0.u.ptr = unsafe slot }
            if let headers = unsafe headers {
              unsafe add(RD_KAFKA_VTYPE_HEADERS) { unsafe $0.u.headers = unsafe headers }
            }
            guard let error = unsafe rd_kafka_produceva(client.handle, fields.baseAddress, count)
            else { return RD_KAFKA_RESP_ERR_NO_ERROR }
            defer { unsafe rd_kafka_error_destroy(error) }
            return unsafe rd_kafka_error_code(error)
          }
        }
      }
    }
  }

  /// Address and length of bytes; no address for `nil`, some address for no bytes.
  private func withAddress<Result>(
    _ bytes: [UInt8]?, _ body: ((UnsafeMutableRawPointer?, Int)) -> Result
  ) -> Result {
    guard let bytes else { return unsafe body((nil, 0)) }
    return unsafe bytes.withUnsafeBytes { bytes in
      unsafe withUnsafeBytes(of: UInt8(0)) { none in
        let address = unsafe bytes.isEmpty ? none.baseAddress : bytes.baseAddress
        // SAFETY: librdkafka only reads it; its field serves also calls that hand memory over.
        return unsafe body((UnsafeMutableRawPointer(mutating: address), bytes.count))
      }
    }
  }

  func close() {
    server.stop()
    client.close()
  }

  deinit { close() }
}

/// The thread on which a producer's callbacks run.
private final class CallbackServer: Sendable {
  private let client: KafkaClient
  private let isStopping = Atomic(false)
  private let thread = Mutex<pthread_t?>(nil)

  init(_ client: KafkaClient) throws(LogError) {
    self.client = client
    var started = pthread_t()
    let argument = unsafe Unmanaged.passRetained(self)
    let error = unsafe pthread_create(
      &started, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        // SAFETY: retained for this thread when it was started.
        unsafe Unmanaged<CallbackServer>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, argument.toOpaque())
    guard error == 0 else {
      unsafe argument.release()
      throw LogError(.failed, "no thread for Kafka's delivery reports: error \(error)")
    }
    thread.withLock { $0 = started }
  }

  private func run() {
    while !isStopping.load(ordering: .acquiring) {
      unsafe rd_kafka_poll(client.handle, 100)
    }
  }

  func stop() {
    guard
      let thread = thread.withLock({ thread in
        defer { thread = nil }
        return thread
      })
    else { return }
    isStopping.store(true, ordering: .releasing)
    if let queue = unsafe rd_kafka_queue_get_main(client.handle) {
      unsafe rd_kafka_queue_yield(queue)
      unsafe rd_kafka_queue_destroy(queue)
    }
    pthread_join(thread, nil)
  }
}
