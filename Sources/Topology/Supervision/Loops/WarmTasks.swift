/// Which of a loop's tasks keep memory for their next interval: caches, and what LMDB has of their
/// largest transaction. The one that rested longest is the first to give it back.
struct WarmTasks {
  /// In the order of their commits; an entry that is not its task's last is passed over.
  private var order: [(task: Int, commit: Int)] = []
  private var head = 0
  private var commits = 0
  /// By task, the number of its last commit; `nil` for one that keeps nothing.
  private var last: [Int?]
  private(set) var count = 0

  init(tasks count: Int) { last = Array(repeating: nil, count: count) }

  /// A task has committed an interval.
  mutating func note(_ task: Int) {
    if last[task] == nil { count += 1 }
    commits += 1
    last[task] = commits
    order.append((task, commits))
    // Of tasks that commit again and again.
    if order.count > 64 + 4 * last.count {
      order = order[head...].filter { last[$0.task] == $0.commit }
      head = 0
    }
  }

  /// A task has given its memory back.
  mutating func forget(_ task: Int) {
    if last[task] != nil { count -= 1 }
    last[task] = nil
  }

  /// Takes the task whose last commit lies farthest back.
  mutating func takeOldest() -> Int? {
    while head < order.count {
      let (task, commit) = order[head]
      head += 1
      guard last[task] == commit else { continue }
      forget(task)
      return task
    }
    return nil
  }
}
