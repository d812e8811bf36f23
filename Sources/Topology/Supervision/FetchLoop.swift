package import StreamCore
import Synchronization

/// Reads the log for all tasks of a process, on one thread.
package final class FetchLoop: Sendable {
  private let buffers: FetchBuffers
  private let report: @Sendable (String) -> Void
  private let stopped = Mutex(false)
  // Used by the fetching thread alone, but for `wake()`, which the protocol allows to any thread.
  private nonisolated(unsafe) let reader: any RecordReader

  package init(
    reader: any RecordReader, buffers: FetchBuffers,
    report: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.reader = reader
    self.buffers = buffers
    self.report = report
  }

  /// Runs until ``stop()``; a failure of the log goes to the consumers of the buffers.
  func run(_ positions: [TopicPartition: Offset]) {
    var isTroubled = false
    do {
      try reader.assign(positions)
      while !stopped.withLock({ $0 }) {
        for batch in try reader.poll(timeout: .milliseconds(500)) where buffers.push(batch) {
          reader.pause(batch.topicPartition)
        }
        for topicPartition in buffers.takeResumable() { reader.resume(topicPartition) }
        let trouble = reader.trouble
        guard isTroubled != (trouble != nil) else { continue }
        isTroubled.toggle()
        report(trouble.map { "reading waits: \($0)" } ?? "reading goes on: the log is back")
      }
    } catch {
      buffers.fail(error)
    }
    reader.close()
  }

  /// There is room in a buffer again.
  func wake() { reader.wake() }

  func stop() {
    stopped.withLock { $0 = true }
    reader.wake()
  }
}
