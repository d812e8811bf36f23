import Glibc
import StateStore
import StreamCore

/// The last commits of a generation's tasks: how far another one is to be filled, and what it
/// cannot find out from the log. It reads one task at a time, for a process may have thousands.
struct GenerationCut {
  /// What a task that fills is to do.
  struct Part {
    /// Where each of its inputs ends.
    let limits: [TopicPartition: Offset]
    /// What it is still to follow, so that it decides as its counterpart did; `nil` for one that
    /// did not begin as that did, or went another way, and decides for itself.
    let replay: FollowedJournal?
    /// What its counterpart keeps and it may send; of one that follows that, nothing.
    let owed: OwedUnits
    /// It stands there already.
    let isReached: Bool
    /// The clock that it is brought to there, for another lineage's stood at it; `nil` leaves it.
    var clock: Timestamp?
  }

  private let generation: Int
  private let directory: StateDirectory
  private let tasks: Set<TaskName>
  /// Of one whose tasks are not counterparts.
  private let other: OtherLineageCut?
  private let followsJournal: Bool

  /// - Parameters:
  ///   - isSameLineage: whether tasks of one name are counterparts.
  ///   - followsJournal: whether they may decide alike.
  ///   - isRunning: whether it goes on meanwhile.
  /// - Throws: ``StateStore/StoreError``.
  init(
    of generation: Int, in directory: StateDirectory, isSameLineage: Bool, followsJournal: Bool,
    isRunning: Bool
  ) throws {
    self.generation = generation
    self.directory = directory
    self.followsJournal = followsJournal && isSameLineage
    tasks = Set(try directory.tasks(of: generation))
    other =
      isSameLineage
      ? nil : try OtherLineageCut(of: generation, in: directory, isRunning: isRunning)
  }

  /// Tasks of another lineage that have not done all that is due: what they did is done again.
  var unfinished: [TaskName] { other?.unfinished ?? [] }

  /// - Parameters:
  ///   - start: where inputs begin that have no state yet.
  ///   - end: the log's end in a partition that this generation did not have.
  /// - Throws: ``StateStore/StoreError``.
  func part(
    _ task: TaskOpener.Planned, of filling: Int, from start: [TopicPartition: Offset],
    end: (TopicPartition) throws -> Offset
  ) throws -> Part {
    let path = directory.task(filling, task.name)
    let isThere = access("\(path)/data.mdb", F_OK) == 0
    let filled =
      try isThere
      ? StateReader.open(path).read {
        (progress: try TaskProgress($0), journal: try $0.journal())
      } : nil
    func own(_ input: TopicPartition) -> Offset? { filled?.progress.positions[input] }
    var limits: [TopicPartition: Offset] = [:]
    var isThereYet: Bool { isThere && limits.allSatisfy { own($0.key) == $0.value } }
    if let other {
      limits = try other.limits(task.inputs, begin: { own($0) ?? start[$0] }, end: end)
      return Part(
        limits: limits, replay: nil, owed: try owed(task.name), isReached: isThereYet,
        clock: other.clock(task.inputs))
    }
    guard tasks.contains(task.name) else {
      for input in task.inputs { limits[input] = try end(input) }
      return Part(limits: limits, replay: nil, owed: try owed(task.name), isReached: isThereYet)
    }
    let (progress, journal) = try StateReader.open(directory.task(generation, task.name)).read {
      (try TaskProgress($0), try $0.journal())
    }
    for input in task.inputs {
      // Of an input without a position nothing was taken.
      limits[input] = progress.positions[input] ?? own(input) ?? start[input]
    }
    let done = filled?.journal ?? []
    let beginsAlike = progress.starts.allSatisfy { partition, offset in
      (filled?.progress.starts ?? start)[partition] == offset
    }
    let follows =
      followsJournal && beginsAlike && progress.gaps == filled?.progress.gaps ?? [:]
      && journal.starts(with: done)
    return Part(
      limits: limits,
      replay: follows ? FollowedJournal(journal, units: progress.units) : nil,
      owed: follows ? OwedUnits() : try owed(task.name),
      isReached: isThereYet && (!follows || filled?.progress.units == progress.units))
  }

  /// What the task of that name keeps; of one that has none, what all tasks of its partition do.
  private func owed(_ task: TaskName) throws -> OwedUnits {
    var owed = OwedUnits()
    let counterparts =
      tasks.contains(task) ? [task] : tasks.filter { $0.partition == task.partition }
    for name in counterparts {
      try owed.add(keptOf: StateReader.open(directory.task(generation, name)))
    }
    return owed
  }
}
