package import StreamCore
import Synchronization

/// Batches between the thread that reads the log and the threads that process, bounded for each
/// partition, so that a full one keeps no other input of its task out.
package final class FetchBuffers: Sendable {
  private struct Buffer {
    var batches: [RecordBatch] = []
    var bytes = 0
    var isPaused = false
  }
  private struct Contents {
    var buffers: [TopicPartition: Buffer] = [:]
    var resumable: [TopicPartition] = []
    var failure: (any Error)?
  }

  private let contents = Mutex(Contents())
  private let bytesMax: Int
  private let consumers: Mutex<[TopicPartition: WakeUp]> = Mutex([:])

  /// - Parameter bytesMax: of one partition; it pauses above and resumes below half of it.
  package init(bytesMax: Int) { self.bytesMax = bytesMax }

  func register(_ topicPartition: TopicPartition, wake: WakeUp) {
    consumers.withLock { $0[topicPartition] = wake }
  }

  /// Adds a batch.
  ///
  /// - Returns: whether its partition is to be paused.
  package func push(_ batch: RecordBatch) -> Bool {
    let pause = contents.withLock { contents in
      var buffer = contents.buffers[batch.topicPartition] ?? Buffer()
      buffer.batches.append(batch)
      buffer.bytes += batch.bytes.count
      let pause = !buffer.isPaused && buffer.bytes > bytesMax
      if pause { buffer.isPaused = true }
      contents.buffers[batch.topicPartition] = buffer
      return pause
    }
    consumers.withLock { $0[batch.topicPartition] }?.signal()
    return pause
  }

  /// Takes the oldest batch of a partition.
  ///
  /// - Returns: the batch, and whether the reader must be woken to resume the partition.
  /// - Throws: what ended the reading thread.
  func take(_ topicPartition: TopicPartition) throws -> (batch: RecordBatch, wakeReader: Bool)? {
    try contents.withLock { contents in
      if let failure = contents.failure { throw failure }
      guard var buffer = contents.buffers.removeValue(forKey: topicPartition),
        !buffer.batches.isEmpty
      else { return nil }
      let batch = buffer.batches.removeFirst()
      buffer.bytes -= batch.bytes.count
      let resumes = buffer.isPaused && buffer.bytes <= bytesMax / 2
      if resumes {
        buffer.isPaused = false
        contents.resumable.append(topicPartition)
      }
      contents.buffers[topicPartition] = buffer
      return (batch, resumes)
    }
  }

  func holds(_ topicPartition: TopicPartition) -> Bool {
    contents.withLock { $0.buffers[topicPartition]?.batches.isEmpty == false }
  }

  /// Partitions that have room again.
  func takeResumable() -> [TopicPartition] {
    contents.withLock { contents in
      defer { contents.resumable = [] }
      return contents.resumable
    }
  }

  /// Ends processing with what ended reading.
  func fail(_ error: any Error) {
    contents.withLock { $0.failure = error }
    for wake in consumers.withLock({ Array($0.values) }) { wake.signal() }
  }
}
