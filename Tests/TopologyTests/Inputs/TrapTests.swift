import ChildProcesses
import Foundation
import Testing
import Topology

/// "A handler that traps": the signal's handler appends a line, the next start finds it.
@Suite("Traps")
struct TrapTests {
  private static func trap(_ way: String, _ path: String) throws -> ChildProcess.Ending {
    try ChildProcess(
      TrapSiteDirectory.worker(), ["unit", path, way],
      // The runtime's own report of a crash takes seconds.
      environment: ["SWIFT_BACKTRACE": "enable=no"], output: .discarded, errors: .discarded
    ).wait()
  }

  private static func path() -> String { NSTemporaryDirectory() + "trapped-" + UUID().uuidString }

  @Test("whatever ends the process in a unit is written down once, and ends it all the same")
  func written() throws {
    let path = Self.path()
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(try TrappedUnits(path: path).isEmpty)
    let ways = [
      ("trap", SIGILL), ("memory", SIGSEGV), ("stack", SIGSEGV), ("abort", SIGABRT),
    ]
    for (number, (way, signal)) in ways.enumerated() {
      #expect(try Self.trap(way, path) == .signal(signal), "\(way)")
      let trapped = try TrappedUnits(path: path)
      #expect(trapped.units.map(\.description).last == "orders-3@500 in task orders-3")
      #expect(
        trapped.traps(generation: 2, task: "orders-3", input: "orders-3", offset: 500)
          == number + 1)
    }
    // Others are not blamed: neither another unit, nor one during which somebody sent a signal.
    for way in ["outside", "sent"] { #expect(try Self.trap(way, path) != .exit(0)) }
    #expect(try TrappedUnits(path: path).units.count == 4)
  }

  @Test("a line is forgotten once an interval past its unit is durable; a damaged one is no line")
  func forgotten() throws {
    let path = Self.path()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let lines = [
      "2\torders-3\torders-3\t500\t12", "2\torders-3\torders-3\t700\t40", "2\ta-0\ta-0\t5\t1",
      "1\torders-3\torders-3\t500\t12", "no line", "2\torders-3\torders-3\t50",
    ]
    try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    var trapped = try TrappedUnits(path: path)
    #expect(trapped.units.count == 4)
    let unchanged = trapped.forget(generation: 2, task: "orders-3", before: 12)
    #expect(!unchanged)
    let changed = trapped.forget(generation: 2, task: "orders-3", before: 13)
    #expect(changed)
    try trapped.save()
    trapped = try TrappedUnits(path: path)
    #expect(trapped.units.map(\.offset) == [700, 5, 500])
    #expect(trapped.traps(generation: 2, task: "orders-3", input: "orders-3", offset: 500) == 0)
    for (generation, task) in [(2, "orders-3"), (2, "a-0"), (1, "orders-3")] {
      let changed = trapped.forget(generation: generation, task: task, before: 41)
      #expect(changed)
    }
    try trapped.save()
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
