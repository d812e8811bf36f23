import EngineChecks
import StreamCore
import Testing
import Topology
import TopologyTesting

/// The engine against a naive interpreter of the same topology, over seeded random inputs.
@Suite("Model check")
struct ModelTests {
  @Test("engine and interpreter end the same", arguments: Seeds.range(300) + [426, 455])
  func sameResult(seed: UInt64) throws {
    let check = try ModelCheck(seed: seed)
    let differences = try check.run()
    #expect(
      differences.isEmpty,
      "seed \(seed)\n\(check.plan)\n\(differences.joined(separator: "\n"))")
  }

  /// What the check is worth depends on what its seeds bring about.
  @Test("the seeds meet what goes wrong, often enough to show it")
  func coverage() {
    var counts: [String: Int] = [:]
    for seed in UInt64(0)..<150 {
      let plan = ModelPlan(seed: seed)
      let code = ModelUserCode()
      let interpreter = ModelInterpreter(plan, code)
      for round in ModelWorkload(plan).rounds {
        for (number, record) in round.records.enumerated() {
          var stored = record
          stored.offset = Int64(number)
          interpreter.append(stored)
          let source = plan.sources.first { $0.topic == record.topic }
          if source?.isPlain == true {
            counts["plain", default: 0] += 1
            if record.key == nil { counts["plain without a key", default: 0] += 1 }
          } else if record.key == nil, case .event(let payload) = record.body {
            let policy = source?.policies.nullKey.rawValue ?? ""
            let name = payload.aggregateID == nil ? "no key" : "key of the aggregate"
            counts["\(name), \(policy)", default: 0] += 1
          }
          guard case .event(let payload) = record.body else { continue }
          if payload.trouble == "size" { counts["oversized", default: 0] += 1 }
          if payload.padding > 0 { counts["padded", default: 0] += 1 }
          if payload.type == "TEN" { counts["TEN \(payload.version)", default: 0] += 1 }
        }
        interpreter.run()
      }
      for name in code.memory.keys where name.hasPrefix("upcast/") {
        counts["failing upcasters", default: 0] += 1
      }
      let result = interpreter.result
      for (label, count) in result.counters { counts[label, default: 0] += Int(count) }
      for audit in plan.audits {
        let rows = result.rows[audit.name] ?? [:]
        counts["audited", default: 0] += rows.count
        counts["audited again", default: 0] += rows.keys.count {
          $0.filter { $0 == "," }.count == 2
        }
      }
      let deleting = plan.nodes.contains {
        if case .process(_, true) = $0.kind { true } else { false }
      }
      if deleting { counts["deleting processors", default: 0] += 1 }
    }
    let wanted = [
      "plain", "plain without a key", "no key, warn", "no key, deadLetter",
      "key of the aggregate, warn", "key of the aggregate, deadLetter", "oversized", "padded",
      "TEN 1", "TEN 2", "TEN 3", "failing upcasters", "audited", "audited again",
      "deleting processors", "deadLettered{produce}",
      "deadLettered{nullKey}", "deadLettered{skipped}", "deadLettered{unknownVersion}",
      "deadLettered{conflict}", "deadLettered{sequenceGap}", "deadLettered{sequenceRegression}",
      "deadLettered{missingRow}",
    ]
    for name in wanted { #expect(counts[name, default: 0] >= 10, "\(name)") }
  }
}

/// How many seeds to run: the count that CI runs, or what `SEEDS` says.
enum Seeds {
  static func range(_ count: UInt64) -> [UInt64] {
    guard let text = ProcessEnvironment.value(of: "SEEDS") else { return Array(0..<count) }
    // `SEEDS=1000` is the first thousand, `SEEDS=42-43` one seed.
    let parts = text.split(separator: "-").compactMap { UInt64($0) }
    return Array(parts.count == 2 ? parts[0]..<parts[1] : 0..<max(count, parts.first ?? 0))
  }
}
