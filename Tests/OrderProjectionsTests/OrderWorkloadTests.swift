import OrderProjections
import StreamCore
import Testing

@Suite struct OrderWorkloadTests {
  private func records(_ plan: OrderWorkloadPlan) -> ([ProducerRecord], OrderOracle) {
    var workload = OrderWorkload(plan)
    var records: [ProducerRecord] = []
    while let record = workload.next() { records.append(record) }
    return (records, workload.oracle)
  }

  @Test("equal plans give equal records, other seeds others", arguments: [UInt64(1), 42])
  func seeded(seed: UInt64) {
    let (first, _) = records(.demo(events: 3_000, seed: seed))
    let (second, _) = records(.demo(events: 3_000, seed: seed))
    let (other, _) = records(.demo(events: 3_000, seed: seed + 1))
    #expect(first == second)
    #expect(first != other)
  }

  @Test func benchmarkIsAsDescribed() {
    let (records, oracle) = records(.benchmark(events: 100_000))
    #expect(records.count == 100_000)
    let outside = records.filter { !(345...375).contains($0.value?.count ?? 0) }
    #expect(outside.isEmpty)
    let share = Double(oracle.rows) / 100_000
    #expect((0.31...0.34).contains(share))
    let duplicates = oracle.fates["duplicate", default: 0]
    #expect((900...1_100).contains(duplicates))
    #expect(oracle.fates["applied"] == 100_000 - duplicates)
    #expect(Set(records.map(\.value)).count == 100_000 - duplicates)

    var last: [[UInt8]: Int] = [:]
    var reach = 0
    for (index, record) in records.enumerated() {
      guard let value = record.value else { continue }
      if let earlier = last.updateValue(index, forKey: value) {
        reach = max(reach, index - earlier)
      }
    }
    #expect((3_000...4_096).contains(reach))
  }

  @Test func demoHoldsEveryDefect() {
    let (records, oracle) = records(.demo(events: 20_000))
    let fates = oracle.fates
    #expect(fates["deadLettered{decode}"] == 24)
    #expect(fates["deadLettered{tombstone}"] == 3)
    #expect(fates["deadLettered{nullKey}"] == 3)
    #expect(fates["deadLettered{unknownVersion}"] == 3)
    #expect(fates["ignored{unknownType}"] == 3)
    #expect(fates["held"] == 3)
    #expect(fates["duplicate{conflict}"] == 3)
    let sum = ["applied", "duplicate", "ignored", "held", "deadLettered"]
      .reduce(0) { $0 + fates[$1, default: 0] }
    #expect(sum == 20_000)
    #expect(fates["consumed"] == 20_000)
    #expect(records.filter { $0.key == nil }.count == 3)
    #expect(records.filter { $0.value == nil }.count == 3)
    #expect(oracle.rowsByStatus.values.reduce(0, +) == oracle.rows)
    #expect(oracle.rowsByStatus.count == OrderStatus.allCases.count)
    #expect(oracle.allRows.count == oracle.rows)
  }
}
