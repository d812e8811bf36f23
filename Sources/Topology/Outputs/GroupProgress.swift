package import StreamCore

/// Tells the consumer group how far one thread's tasks are: information for lag tools, never read
/// back. Brokers keep each commit and the state is synced before, so it is told once a second.
package final class GroupProgress {
  private let group: String
  private let offsets: (any GroupOffsets)?
  private let clock: any WallClock
  private let report: @Sendable (String) -> Void
  /// Tasks that committed since they were told about.
  private var untold: [StreamTask] = []
  private var nextAt = Timestamp(milliseconds: .min)
  private var isRefused = false

  package init(
    _ group: String, log offsets: (any GroupOffsets)?, clock: any WallClock,
    report: @escaping @Sendable (String) -> Void
  ) {
    self.group = group
    self.offsets = offsets
    self.clock = clock
    self.report = report
  }

  /// Called after each commit, on the task's thread.
  package func note(_ task: StreamTask) {
    if offsets != nil, !untold.contains(where: { $0 === task }) { untold.append(task) }
  }

  /// Whether ``tellWhereDue()`` will have something to tell.
  var hasUntold: Bool { !untold.isEmpty }

  /// - Throws: ``StateStore/StoreError``; a log that refuses is reported.
  package func tellWhereDue() throws {
    guard !untold.isEmpty, clock.now() >= nextAt else { return }
    try tell()
  }

  /// The last word, unless the log has just refused: an end does not wait for it.
  package func tellAtEnd() throws {
    if !untold.isEmpty, !isRefused { try tell() }
  }

  private func tell() throws {
    guard let offsets else { return }
    // Nothing leaves a task before its interval is durable.
    for task in untold { try task.state.makeDurable() }
    let positions = Dictionary(
      untold.flatMap { $0.positions.map { ($0.key, $0.value) } }, uniquingKeysWith: min)
    do {
      try offsets.commit(group: group, positions)
      untold = []
      if isRefused { report("consumer group '\(group)' is told the positions again") }
      isRefused = false
    } catch {
      if !isRefused { report("consumer group '\(group)' was not told the positions: \(error)") }
      isRefused = true
    }
    // A log that cannot be reached costs the time that a request may take.
    nextAt = clock.now() + .seconds(isRefused ? 30 : 1)
  }
}
