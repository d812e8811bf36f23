import StateStore
import StreamCore

/// The last commits of a generation's tasks: how far another one is to be filled, and what it
/// cannot find out from the log.
struct GenerationCut {
  private struct Task {
    let progress: TaskProgress
    let journal: [[UInt8]]
  }

  private let directory: StateDirectory
  private let tasks: [TaskName: Task]

  /// - Throws: ``StateStore/StoreError``.
  init(of generation: Int, in directory: StateDirectory) throws {
    self.directory = directory
    tasks = try Self.tasks(of: generation, in: directory)
  }

  /// Positions and journal of a task are of one commit.
  private static func tasks(of generation: Int, in directory: StateDirectory) throws
    -> [TaskName: Task]
  {
    var tasks: [TaskName: Task] = [:]
    for name in try directory.tasks(of: generation) {
      tasks[name] = try StateReader.open(directory.task(generation, name)).read {
        Task(progress: TaskProgress(words: try $0.words()), journal: try $0.journal())
      }
    }
    return tasks
  }

  var positions: [TopicPartition: Offset] {
    tasks.values.reduce(into: [:]) { $0.merge($1.progress.positions, uniquingKeysWith: max) }
  }

  /// What each task of a generation that fills is still to follow, so that it decides as this one
  /// did. A task that did not begin as its counterpart did, or went another way, decides for itself.
  func replay(
    into generation: Int, from start: [TopicPartition: Offset]
  ) throws -> [TaskName: FollowedJournal] {
    let filling = try Self.tasks(of: generation, in: directory)
    var replay: [TaskName: FollowedJournal] = [:]
    for (name, task) in tasks {
      let other = filling[name]
      let beginsAlike = task.progress.starts.allSatisfy { partition, offset in
        (other?.progress.starts ?? start)[partition] == offset
      }
      let journal = other?.journal ?? []
      guard beginsAlike, task.progress.gaps == other?.progress.gaps ?? [:],
        task.journal.starts(with: journal)
      else { continue }
      replay[name] = FollowedJournal(task.journal, units: task.progress.units)
    }
    return replay
  }
}
