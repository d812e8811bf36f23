import StateStore
import Synchronization
import Testing
import TopologyTesting

@testable import Topology

/// DESIGN, "The interval adapts": what intervals hold is one budget over all tasks of the process,
/// and loops take turns at it.
@Suite("Interval memory")
struct IntervalMemoryTests {
  private func use(_ cached: Int, _ pages: Int, grows: Bool = true) -> IntervalMemory.Use {
    IntervalMemory.Use(bytes: IntervalBytes(cached: cached, pages: pages), grows: grows)
  }

  @Test("one loop has all of it")
  func alone() {
    let memory = IntervalMemory(bytes: 100, loops: 1)
    #expect(memory.look(0, use(60, 40)) == .fill)
    #expect(memory.look(0, use(60, 41)) == .commit)
  }

  @Test("a loop that holds nothing leaves it to the others")
  func idle() {
    let memory = IntervalMemory(bytes: 100, loops: 4)
    #expect(memory.look(0, use(60, 40)) == .fill)
    #expect(memory.look(0, use(60, 41)) == .commit)
  }

  @Test("while one commits the other fills what is left, waits, and is woken at its end")
  func turns() {
    let memory = IntervalMemory(bytes: 100, loops: 2)
    let woken = Mutex(0)
    memory.join(1) { woken.withLock { $0 += 1 } }
    #expect(memory.look(1, use(10, 10)) == .fill)
    // Room is left for what the other caches meanwhile.
    #expect(memory.look(0, use(30, 37)) == .fill)
    #expect(memory.look(0, use(30, 38)) == .fill)
    #expect(memory.look(0, use(32, 40)) == .commit)
    memory.beginCommit(0)
    #expect(memory.look(1, use(28, 40)) == .fill)
    #expect(memory.look(1, use(29, 40)) == .wait)
    #expect(woken.withLock { $0 } == 0)
    memory.endCommit(0, use(0, 0))
    #expect(woken.withLock { $0 } == 1)
    #expect(memory.look(1, use(29, 40)) == .fill)
    memory.endCommit(0, use(0, 0))
    #expect(woken.withLock { $0 } == 1, "who does not wait is not woken")
  }

  @Test("who takes most commits first, and is woken where it sleeps")
  func silent() {
    let memory = IntervalMemory(bytes: 100, loops: 2)
    let woken = Mutex(0)
    memory.join(1) { woken.withLock { $0 += 1 } }
    // Its input is silent.
    #expect(memory.look(1, use(40, 40, grows: false)) == .fill)
    #expect(memory.look(0, use(30, 30)) == .fill)
    #expect(woken.withLock { $0 } == 0)
    #expect(memory.look(0, use(31, 31)) == .fill)
    #expect(woken.withLock { $0 } == 1)
    #expect(memory.look(1, use(40, 40, grows: false)) == .commit)
  }

  /// Loops that fill and commit step by step, a commit for about three quarters of the time.
  private func simulate(_ count: Int, bytes: Int) -> (interval: Int, peak: Int, waits: Int) {
    let memory = IntervalMemory(bytes: bytes, loops: count)
    var random = SplitMix64(seed: 1)
    var uses = Array(repeating: use(0, 0), count: count)
    var left = Array(repeating: 0, count: count)
    var committed: [Int] = []
    var (peak, waits) = (0, 0)
    for step in 0..<20_000 {
      for loop in 0..<count where left[loop] > 0 {
        left[loop] -= 1
        guard left[loop] == 0 else { continue }
        // The first half is for finding into turns.
        if step >= 10_000 { committed.append(uses[loop].bytes.total) }
        uses[loop] = use(0, 0)
        memory.endCommit(loop, uses[loop])
      }
      for loop in 0..<count where left[loop] == 0 {
        switch memory.look(loop, uses[loop]) {
        case .fill:
          uses[loop].bytes.cached += 2
          uses[loop].bytes.pages += 3
        case .wait: waits += step >= 10_000 ? 1 : 0
        case .commit:
          memory.beginCommit(loop)
          left[loop] = uses[loop].bytes.cached / 2 * Int(56 + random.next() % 38) / 100
        }
      }
      let held = (0..<count).reduce(0) {
        $0 + (left[$1] > 0 ? uses[$1].bytes.total : uses[$1].bytes.cached)
      }
      peak = max(peak, held)
    }
    return (committed.reduce(0, +) / max(1, committed.count), peak, waits)
  }

  @Test(
    "intervals are larger than a part of the memory each, and all together stay within it",
    arguments: [(2, 7_000), (3, 4_000), (4, 3_300), (8, 1_650)])
  func shares(count: Int, least: Int) {
    let (interval, peak, waits) = simulate(count, bytes: 10_000)
    #expect(interval >= least)
    // A step of each may come on top.
    #expect(peak <= 10_300)
    #expect(waits <= 10_000 * count / 10)
  }
}
