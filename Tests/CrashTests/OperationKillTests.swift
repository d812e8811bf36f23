import ChildProcesses
import EmbeddedLog
import EngineChecks
import Foundation
import StreamCore
import Testing

/// Schedules of the operations check in which processes are killed at any of their disk operations.
@Suite("Operations check with kills", .serialized)
struct OperationKillTests {
  @Test("every schedule ends as the table of outcomes says", arguments: seeds)
  func schedule(seed: UInt64) throws {
    let wrong = try Schedule(seed: seed, kills: true).run { shape, body in
      let base = try SiteFiles.makeTemporary()
      defer { do { try SiteFiles.removeTree(base) } catch { Issue.record(error) } }
      let log = try EmbeddedLog.open("\(base)/log", create: true)
      try body(
        try Site(shape, log: log, base: base) { victim in
          _ = try CrashWorker.run(
            ["operate", "\(base)/log"] + victim.arguments,
            ["PROJECTOR_KILL_AT": "\(victim.operation)"])
        })
    }
    #expect(wrong == nil, "\(wrong ?? "")")
  }

  /// `SEEDS=1000` is the first thousand, `SEEDS=42-43` one seed.
  private static var seeds: [UInt64] {
    let parts = (ProcessInfo.processInfo.environment["SEEDS"] ?? "").split(separator: "-")
      .compactMap { UInt64($0) }
    return Array(parts.count == 2 ? parts[0]..<parts[1] : 0..<max(12, parts.first ?? 0))
  }
}
