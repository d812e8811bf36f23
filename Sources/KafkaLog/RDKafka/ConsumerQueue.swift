import CRdKafka
import StreamCore
import Synchronization

/// A consumer with manual assignment, and the one queue on which all of it arrives.
///
/// One thread uses it, but for ``wake()``: librdkafka 2.0 mixes messages up when assigning and
/// pausing run beside a read.
@safe final class ConsumerQueue {
  let client: KafkaClient
  private let waker: Waker
  private let buffer: UnsafeMutableBufferPointer<PartitionInbox.Message?>

  /// - Parameters:
  ///   - capacity: most messages taken at once.
  ///   - fetchedBytesMax: about how much librdkafka and the reader keep together.
  init(_ settings: KafkaSettings, capacity: Int, fetchedBytesMax: Int) throws(LogError) {
    client = try KafkaClient(
      .consumer, settings, properties: settings.consumer(fetchedBytesMax: fetchedBytesMax),
      serving: true)
    // Errors and other calls arrive on the consumer's queue too.
    unsafe rd_kafka_poll_set_consumer(client.handle)
    waker = unsafe Waker(rd_kafka_queue_get_consumer(client.handle))
    unsafe buffer = .allocate(capacity: capacity)
    unsafe buffer.initialize(repeating: nil)
  }

  deinit {
    close()
    unsafe buffer.deallocate()
  }

  func assign(_ positions: [TopicPartition: Offset]) throws(LogError) {
    let list = PartitionList(positions.lazy.map { ($0.key, $0.value) })
    let error = unsafe rd_kafka_assign(client.handle, list.pointer)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw client.failure(error, "assign \(positions.count) partitions")
    }
  }

  func pause(_ partition: TopicPartition) {
    let list = PartitionList([(partition, Offset(0))])
    unsafe rd_kafka_pause_partitions(client.handle, list.pointer)
  }

  /// Reads on from `position`, behind what was handed out before the pause.
  func resume(_ partition: TopicPartition, at position: Offset) {
    let list = PartitionList([(partition, position)])
    unsafe rd_kafka_resume_partitions(client.handle, list.pointer)
    // Librdkafka does not wake the broker's thread for a partition that is resumed, only for one
    // that is sought: alone it would be fetched up to a second later. Without a time limit there
    // is no answer to wait for, and no error.
    unsafe rd_kafka_seek_partitions(client.handle, list.pointer, 0)
  }

  /// Hands what has arrived to `body`, which takes the messages over.
  ///
  /// The wait is for one message only: a batch call would wait until its array is full.
  ///
  /// - Parameter limit: most messages, for what is taken makes room for librdkafka to fetch more.
  /// - Returns: how many there were.
  func receive(
    atMost limit: Int, wait: Duration, _ body: (PartitionInbox.Message) -> Void
  ) -> Int {
    guard let queue = unsafe waker.queue else { return 0 }
    let deadline = ContinuousClock.now + wait
    let limit = unsafe min(max(limit, 1), buffer.count)
    var count = unsafe take(queue, limit, 0, body)
    while count == 0 {
      if waker.wasCalled() { return 0 }
      let left = deadline - .now
      guard left > .zero else { return 0 }
      // It also returns early for a call long past: then we wait again.
      guard unsafe take(queue, 1, left.millisecondsForC, body) == 1 else { continue }
      count = unsafe limit == 1 ? 1 : 1 + take(queue, limit - 1, 0, body)
    }
    return count
  }

  private func take(
    _ queue: OpaquePointer, _ limit: Int, _ milliseconds: Int32,
    _ body: (PartitionInbox.Message) -> Void
  ) -> Int {
    let count = unsafe rd_kafka_consume_batch_queue(
      queue, milliseconds, buffer.baseAddress, limit)
    for index in 0..<max(count, 0) {
      if let message = unsafe buffer[index] { unsafe body(message) }
    }
    return max(count, 0)
  }

  /// The newest end that a fetch was answered with, committed or not; `nil` before the first.
  func lastSeenEnd(of partition: TopicPartition) -> Offset? {
    var first = Offset(0)
    var end = Offset(0)
    let error = unsafe rd_kafka_get_watermark_offsets(
      client.handle, partition.topic, Int32(partition.partition), &first, &end)
    return error == RD_KAFKA_RESP_ERR_NO_ERROR && end >= 0 ? end : nil
  }

  /// Behind the last record or control record taken from the queue.
  func position(of partition: TopicPartition) -> Offset? {
    let list = PartitionList([(partition, Offset(0))])
    guard unsafe rd_kafka_position(client.handle, list.pointer) == RD_KAFKA_RESP_ERR_NO_ERROR
    else { return nil }
    let (_, offset, _) = list[0]
    return offset >= 0 ? offset : nil
  }

  /// Ends a wait; callable from any thread.
  func wake() { waker.call() }
  /// Whether ``wake()`` was called; forgets it.
  func wasWoken() -> Bool { waker.wasCalled() }

  /// All messages are destroyed before.
  func close() {
    guard let queue = unsafe waker.takeQueue() else { return }
    unsafe rd_kafka_consumer_close(client.handle)
    unsafe rd_kafka_queue_destroy(queue)
    client.close()
  }
}

/// Lets any thread end the wait on a queue, also while it is being closed.
///
/// `@unchecked Sendable`: the pointer is read and cleared under the mutex, or by the one thread
/// that also closes.
@safe private final class Waker: @unchecked Sendable {
  private(set) var queue: OpaquePointer?
  private let lock = Mutex(())
  private let called = Atomic(false)

  init(_ queue: OpaquePointer?) { unsafe self.queue = queue }

  func call() {
    called.store(true, ordering: .releasing)
    lock.withLock { _ in
      if let queue = unsafe queue { unsafe rd_kafka_queue_yield(queue) }
    }
  }

  func wasCalled() -> Bool { called.exchange(false, ordering: .acquiringAndReleasing) }

  func takeQueue() -> OpaquePointer? {
    unsafe lock.withLock { _ in
      defer { unsafe queue = nil }
      return unsafe queue
    }
  }
}
