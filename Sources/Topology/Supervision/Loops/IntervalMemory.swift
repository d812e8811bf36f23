import StateStore
import Synchronization

/// The memory that the open intervals of all loops of a run share.
///
/// An interval takes most of it at its end: while it is committed, the pages that it changes come on
/// top of what it has cached. So loops take turns: while one commits, the others fill, and each
/// interval may become nearly as large as if it were alone. Were the memory split between them,
/// half an interval would still change far more than half of the pages.
package final class IntervalMemory: Sendable {
  /// What a loop is to do.
  enum Answer: Equatable {
    case fill
    /// Others commit, and hold what it would take: it is woken when one of them has ended.
    case wait
    /// Its largest interval is to be committed.
    case commit
  }

  /// What the open intervals of one loop take.
  struct Use: Equatable {
    var bytes = IntervalBytes()
    /// One of them goes on to grow, for its task is behind.
    var grows = false
  }

  private struct Loop {
    var use = Use()
    var isCommitting = false
    var isWaiting = false
    var wake: @Sendable () -> Void = {}

    var held: Int { isCommitting ? use.bytes.total : use.bytes.cached }
  }

  private let bytes: Int
  private let loops: Mutex<[Loop]>

  /// - Parameter bytes: of the intervals of all loops together.
  init(bytes: Int, loops count: Int) {
    self.bytes = bytes
    loops = Mutex(Array(repeating: Loop(), count: count))
  }

  package convenience init(_ budget: IntervalBudget, loops count: Int) {
    self.init(bytes: count == 1 ? budget.dirtyBytes : budget.dirtyBytesInTurns, loops: count)
  }

  /// Has `wake` called, on any thread, when a loop that waits may go on, or when one is to look at
  /// its intervals.
  func join(_ loop: Int, wake: @escaping @Sendable () -> Void) {
    loops.withLock { $0[loop].wake = wake }
  }

  /// Says what a loop is to do whose intervals take so much now.
  func look(_ loop: Int, _ use: Use) -> Answer {
    let (answer, wake) = loops.withLock { loops in
      loops[loop].use = use
      let (answer, first) = Self.answer(loop, loops, bytes)
      loops[loop].isWaiting = answer == .wait
      return (answer, first.map { loops[$0].wake })
    }
    wake?()
    return answer
  }

  /// What a loop caches while another commits: a commit lasts about three quarters of the time that
  /// filling its interval took, and others fill as fast.
  private static func growth(whileCommitting use: Use) -> Int { use.bytes.cached / 4 * 3 }

  /// - Returns: the answer, and which other loop is to commit first.
  private static func answer(_ loop: Int, _ loops: [Loop], _ bytes: Int) -> (Answer, first: Int?) {
    let held = loops.reduce(0) { $0 + $1.held }
    // Half of the loops may commit at once: were it fewer, all would wait for them.
    let atOnce = (loops.count + 1) / 2
    if loops.count(where: \.isCommitting) >= atOnce {
      let use = loops[loop].use
      // Beyond that others could not fill while it commits, and would end up waiting as long.
      let alone = use.bytes.total + (loops.count - atOnce) * growth(whileCommitting: use)
      return (held > bytes || alone > bytes ? .wait : .fill, nil)
    }
    func need(_ index: Int) -> Int {
      let others = loops.indices.count {
        $0 != index && loops[$0].use.grows && !loops[$0].isCommitting
      }
      return loops[index].use.bytes.pages + others * growth(whileCommitting: loops[index].use)
    }
    guard held + need(loop) > bytes else { return (.fill, nil) }
    let first =
      loops.indices.filter { !loops[$0].isCommitting }.max { need($0) < need($1) } ?? loop
    return need(first) > need(loop) ? (.fill, first) : (.commit, nil)
  }

  /// A loop commits a large interval, until ``endCommit(_:_:)``.
  func beginCommit(_ loop: Int) { loops.withLock { $0[loop].isCommitting = true } }

  /// What the commit held is free.
  ///
  /// - Parameter use: what the loop's other intervals take.
  func endCommit(_ loop: Int, _ use: Use) {
    let wakes = loops.withLock { loops in
      loops[loop].isCommitting = false
      loops[loop].use = use
      return loops.filter(\.isWaiting).map(\.wake)
    }
    for wake in wakes { wake() }
  }
}

/// One loop's part in the memory that intervals share, in the hands of the loop's thread.
package final class IntervalShare {
  private let memory: IntervalMemory
  private let loop: Int
  /// Whether the last answer was to wait.
  private(set) var waits = false

  package init(_ memory: IntervalMemory, loop: Int) {
    self.memory = memory
    self.loop = loop
  }

  func join(_ wake: WakeUp) { memory.join(loop) { wake.signal() } }

  func look(_ use: IntervalMemory.Use) -> IntervalMemory.Answer {
    let answer = memory.look(loop, use)
    waits = answer == .wait
    return answer
  }

  func beginCommit() { memory.beginCommit(loop) }

  func endCommit(_ use: IntervalMemory.Use) { memory.endCommit(loop, use) }
}
