package import StreamCore
import Synchronization

/// Reads the log for all tasks of a process, on one thread.
package final class FetchLoop: Sendable {
  private struct Contents {
    var isStopped = false
    /// Partitions of which an input has room again.
    var resumable: [TopicPartition] = []
  }
  private let buffers: FetchBuffers
  private let report: @Sendable (String) -> Void
  /// Called while the log cannot be read.
  private let whenTroubled: @Sendable () -> Void
  private let contents = Mutex(Contents())
  // Used by the fetching thread alone, but for `wake()`, which the protocol allows to any thread.
  private nonisolated(unsafe) let reader: any RecordReader

  package init(
    reader: any RecordReader, buffers: FetchBuffers,
    report: @escaping @Sendable (String) -> Void = { _ in },
    whenTroubled: @escaping @Sendable () -> Void = {}
  ) {
    self.whenTroubled = whenTroubled
    self.reader = reader
    self.buffers = buffers
    self.report = report
  }

  /// Runs until ``stop()``.
  ///
  /// - Throws: what the log cannot be read for.
  func run(_ positions: [TopicPartition: Offset]) throws {
    defer { reader.close() }
    var isTroubled = false
    try reader.assign(positions)
    while !contents.withLock({ $0.isStopped }) {
      // A batch, a resumption and the stop wake it; the rest is for the news of trouble.
      for batch in try reader.poll(timeout: .seconds(1)) where buffers.push(batch) {
        reader.pause(batch.topicPartition)
        // Its inputs may have taken all of it before it was paused.
        if buffers.isToResume(batch.topicPartition) { reader.resume(batch.topicPartition) }
      }
      for topicPartition in takeResumable() where buffers.isToResume(topicPartition) {
        reader.resume(topicPartition)
      }
      let trouble = reader.trouble
      if trouble != nil { whenTroubled() }
      guard isTroubled != (trouble != nil) else { continue }
      isTroubled.toggle()
      report(trouble.map { "reading waits: \($0)" } ?? "reading goes on: the log is back")
    }
  }

  private func takeResumable() -> [TopicPartition] {
    contents.withLock { contents in
      defer { contents.resumable = [] }
      return contents.resumable
    }
  }

  /// There is room for a partition again; callable from any thread.
  func resume(_ topicPartition: TopicPartition) {
    contents.withLock { $0.resumable.append(topicPartition) }
    reader.wake()
  }

  func stop() {
    contents.withLock { $0.isStopped = true }
    reader.wake()
  }
}
