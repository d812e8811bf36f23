import StateStore
import StreamCore

/// How far a generation of another lineage has come, as a topology sees it that reads what it read
/// and cannot run its operators.
struct OtherLineageCut {
  private struct Place {
    /// The lowest position of the tasks that read the partition, or one record less.
    var position: Offset
    /// The latest clock of the tasks that stand there.
    var clock: Timestamp?
    /// Something is due in one of the tasks.
    var isDue: Bool

    func merged(with other: Place) -> Place {
      let first = position <= other.position ? self : other
      let clocks = position == other.position ? [clock, other.clock] : [first.clock]
      return Place(
        position: first.position, clock: clocks.compactMap(\.self).max(),
        isDue: isDue || other.isDue)
    }
  }

  private var places: [TopicPartition: Place] = [:]
  /// Partitions with a task that has committed nothing yet: what it reads has no position.
  private var begun: Set<Int> = []
  /// Tasks in which something is due that they have not done.
  private(set) var unfinished: [TaskName] = []

  /// It goes on meanwhile: one record less, for something may be due when it ends.
  private let isRunning: Bool

  /// - Throws: ``StateStore/StoreError``.
  init(of generation: Int, in directory: StateDirectory, isRunning: Bool) throws {
    self.isRunning = isRunning
    for name in try directory.tasks(of: generation) {
      try StateReader.open(directory.task(generation, name)).read { try add(name, $0) }
    }
  }

  private mutating func add(_ name: TaskName, _ view: StateView) throws {
    let progress = try TaskProgress(view)
    if progress.positions.isEmpty { begun.insert(name.partition) }
    let committed = TaskClockWords.Committed(try view.words())
    let clock = committed.time
    let isDue = try isRunning || Self.isDue(view, committed)
    if isDue, !isRunning { unfinished.append(name) }
    for (input, position) in progress.positions {
      var place = Place(position: position, clock: clock, isDue: isDue)
      // The record that made it due is taken again, and what follows from it is sent.
      if isDue, let taken = progress.taken[input], taken > progress.starts[input] ?? 0 {
        place.position = min(position, taken - 1)
      }
      places[input] = places[input].map { place.merged(with: $0) } ?? place
    }
  }

  /// Kept records are to be gone through, or a timer has come to its time.
  private static func isDue(_ view: StateView, _ clock: TaskClockWords.Committed) throws -> Bool {
    if try !view.entries("marks", limit: 1).isEmpty { return true }
    guard let horizon = clock.horizon, let timer = try view.firstTimer() else { return false }
    return timer.time <= horizon
  }

  /// Where a task is to end that reads these inputs.
  ///
  /// - Parameters:
  ///   - begin: where an input stands already, or begins.
  ///   - end: the log's end in a partition that the other one did not have.
  func limits(
    _ inputs: [TopicPartition], begin: (TopicPartition) -> Offset?,
    end: (TopicPartition) throws -> Offset
  ) rethrows -> [TopicPartition: Offset] {
    var limits: [TopicPartition: Offset] = [:]
    for input in inputs {
      if let place = places[input] {
        limits[input] = place.position
      } else if begun.contains(input.partition) {
        limits[input] = begin(input)
      } else {
        limits[input] = try end(input)
      }
    }
    return limits
  }

  /// The clock to which a task is brought that has come to its limits: the latest of those of the
  /// tasks that read its inputs; `nil` where one of them has something due.
  func clock(_ inputs: [TopicPartition]) -> Timestamp? {
    let known = inputs.compactMap { places[$0] }
    return known.contains(where: \.isDue) ? nil : known.compactMap(\.clock).max()
  }
}
