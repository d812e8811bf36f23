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
