import EngineChecks
import Foundation
import StreamCore
import Testing
import TopologyTesting

/// What operators and the world do, in seeded schedules, beside what DESIGN promises of each.
@Suite("Operations check")
struct OperationsTests {
  @Test("every schedule ends as the table of outcomes says", arguments: Seeds.range(50))
  func schedule(seed: UInt64) throws {
    let wrong = try Schedule(seed: seed, kills: false).run { shape, body in
      let base = try SiteFiles.makeTemporary()
      defer { do { try SiteFiles.removeTree(base) } catch { Issue.record(error) } }
      let log = SimulatedLog(seed: seed % 3 == 0 ? seed &+ 1 : nil)
      try body(try Site(shape, log: log, base: base))
    }
    #expect(wrong == nil, "\(wrong ?? "")")
  }

  @Test("each circumstance has its row, and each row a sentence")
  func table() throws {
    for circumstance in OutcomeTable.Circumstance.allCases {
      #expect(OutcomeTable.rows.count { $0.circumstance == circumstance } == 1)
    }
    let readme = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("README.md")
    let text = try String(contentsOf: readme, encoding: .utf8)
    for row in OutcomeTable.rows { #expect(text.contains("\n\(row)\n"), "README lacks \(row)") }
  }
}
