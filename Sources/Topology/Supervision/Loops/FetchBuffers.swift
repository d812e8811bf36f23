package import StreamCore
import Synchronization

/// Batches between the thread that reads the log and the threads that process: a bounded buffer for
/// each input, so that a full one keeps no other input of its task out.
package final class FetchBuffers: Sendable {
  private let bytesMax: Int
  /// Each partition's readers: an input of one task, or of several.
  private let inputs = Mutex<[TopicPartition: [InputBuffer]]>([:])

  /// - Parameter bytesMax: of one input; it pauses above and resumes below half of it.
  package init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// Makes the buffer of one input.
  ///
  /// - Parameter whenFilled: called after each batch that comes into it.
  func register(
    _ topicPartition: TopicPartition, whenFilled: @escaping @Sendable () -> Void
  ) -> InputBuffer {
    let buffer = InputBuffer(bytesMax: bytesMax, whenFilled: whenFilled)
    inputs.withLock { $0[topicPartition, default: []].append(buffer) }
    return buffer
  }

  /// Adds a batch.
  ///
  /// - Returns: whether its partition is to be paused: ``isToResume(_:)`` says when it goes on.
  package func push(_ batch: RecordBatch) -> Bool {
    var isFull = false
    for buffer in inputs.withLock({ $0[batch.topicPartition] ?? [] }) where buffer.push(batch) {
      isFull = true
    }
    return isFull
  }

  /// Whether all that read a partition have room again.
  func isToResume(_ topicPartition: TopicPartition) -> Bool {
    inputs.withLock { $0[topicPartition] ?? [] }.allSatisfy { !$0.isPaused }
  }
}

/// The batches that wait for one input of a task.
final class InputBuffer: Sendable {
  private struct Contents {
    var batches: [RecordBatch] = []
    /// Before it they are taken.
    var head = 0
    var bytes = 0
    var isPaused = false
  }
  private let contents = Mutex(Contents())
  private let bytesMax: Int
  private let whenFilled: @Sendable () -> Void

  init(bytesMax: Int, whenFilled: @escaping @Sendable () -> Void) {
    self.bytesMax = bytesMax
    self.whenFilled = whenFilled
  }

  var isPaused: Bool { contents.withLock { $0.isPaused } }
  var isEmpty: Bool { contents.withLock { $0.head == $0.batches.count } }

  /// - Returns: whether the partition is to be paused.
  fileprivate func push(_ batch: RecordBatch) -> Bool {
    let isPaused = contents.withLock { contents in
      contents.batches.append(batch)
      contents.bytes += batch.bytes.count
      if contents.bytes > bytesMax { contents.isPaused = true }
      return contents.isPaused
    }
    whenFilled()
    return isPaused
  }

  /// Takes the oldest batch.
  ///
  /// - Returns: the batch, and whether the reader must be told to resume the partition.
  func take() -> (batch: RecordBatch, resumes: Bool)? {
    contents.withLock { contents in
      guard contents.head < contents.batches.count else { return nil }
      let batch = contents.batches[contents.head]
      contents.head += 1
      if contents.head == contents.batches.count || contents.head == 32 {
        contents.batches.removeFirst(contents.head)
        contents.head = 0
      }
      contents.bytes -= batch.bytes.count
      let resumes = contents.isPaused && contents.bytes <= bytesMax / 2
      if resumes { contents.isPaused = false }
      return (batch, resumes)
    }
  }
}
