import ChildProcesses
import Foundation
import Testing

/// A real process is killed before one of its disk operations or in a handler, restarted until the
/// log is drained, and must end as one that was left alone.
@Suite("Crash check", .serialized)
struct CrashTests {
  /// What runs without a fault end with, and how many disk operations they make.
  struct Undisturbed {
    let result: [String]
    let runCalls: Int
    /// Of a rebuild from the log's start, and from a snapshot.
    let rewindCalls: [String: Int]

    init(seed: UInt64) throws {
      let site = try CrashSite()
      try site.feed(seed: seed)
      let run = try site.run()
      runCalls = Int(run.lines.last ?? "") ?? 0
      result = try site.show()
      var calls: [String: Int] = [:]
      for (verb, beginning) in [("restore", "on snapshot"), ("rewind", "read from 0,")] {
        let rewind = try site.run(verb)
        calls[verb] = Int(rewind.lines.last ?? "") ?? 0
        try #require(rewind.lines.count { $0.contains(beginning) } == 2, "\(rewind.lines)")
        try #require(try site.show() == result, "a rebuild gives what was there, and sends nothing")
      }
      rewindCalls = calls
      try #require(
        runCalls > 50 && calls.values.allSatisfy { $0 > 50 }, "the faults are not in the disk's way"
      )
      try #require(result.contains { $0.hasPrefix("output timers") })
    }
  }

  private static let seeds: [UInt64] = [1, 2, 3, 4]

  /// Each of these kills 50 times, with fixed seeds; `SEEDS` kills more often.
  @Test("a kill at any disk operation or in a handler loses and repeats nothing", arguments: seeds)
  func killAnywhere(seed: UInt64) throws {
    let undisturbed = try Undisturbed(seed: seed)
    var random = seed &* 0x9e37_79b9_7f4a_7c15
    func below(_ limit: Int) -> Int {
      random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((random >> 33) % UInt64(max(1, limit)))
    }
    let text = ProcessInfo.processInfo.environment["SEEDS"] ?? ""
    let wanted = max(50, (Int(text) ?? 0) / Self.seeds.count)
    var kills = 0
    while kills < wanted {
      let site = try CrashSite()
      try site.feed(seed: seed)
      var history: [String] = []
      func die(_ verb: String, _ name: String, _ number: Int) throws {
        history.append("\(verb) \(name)=\(number)")
        if try site.run(verb, [name: "\(number)"]).ending == .signal(SIGKILL) { kills += 1 }
      }
      // A few deaths on the way, then the end.
      for _ in 0..<(1 + below(4)) {
        if below(4) == 0 {
          try die("run", "PROJECTOR_DIE_IN_HANDLER", 1 + below(90))
        } else {
          try die("run", "PROJECTOR_KILL_AT", 1 + below(undisturbed.runCalls))
        }
      }
      #expect(try site.run().ending == .exit(0))
      #expect(try site.show() == undisturbed.result, "seed \(seed) after \(history)")
      // And once more while a new generation takes over, from the log's start or from a snapshot.
      let verb = below(2) == 0 ? "rewind" : "restore"
      try die(verb, "PROJECTOR_KILL_AT", 1 + below(undisturbed.rewindCalls[verb] ?? 0))
      // The next process only goes on, or is asked to do it again.
      #expect(try site.run(below(2) == 0 ? "run" : verb).ending == .exit(0))
      #expect(try site.show() == undisturbed.result, "seed \(seed) after \(history)")
    }
  }

  @Test("a full disk is an error that says so, and once there is room all goes on")
  func fullDisk() throws {
    let undisturbed = try Undisturbed(seed: 9)
    var failures = 0
    for share in 0..<7 {
      let site = try CrashSite()
      try site.feed(seed: 9)
      let call = 1 + undisturbed.runCalls * share / 7
      let full = try site.run("run", ["PROJECTOR_FULL_AT": "\(call)"])
      if case .signal(let signal) = full.ending { Issue.record("ended by signal \(signal)") }
      // What overwrites pages needs no space: a run may come to its end.
      if full.ending != .exit(0) {
        failures += 1
        #expect(
          full.lines.contains { $0.hasPrefix("error:") && $0.lowercased().contains("full") }
            || full.lines.contains { $0.contains("No space left") }, "\(full.lines)")
      }
      #expect(try site.run().ending == .exit(0))
      #expect(try site.show() == undisturbed.result, "full at \(call)")
    }
    #expect(failures > 2)
  }
}
