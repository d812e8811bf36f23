import EngineChecks
import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// Threads, batch sizes, delivery order, commit intervals and restarts change nothing.
@Suite("Determinism check")
struct DeterminismTests {
  /// Plans whose tasks have one input each: with several, the journal is part of the input.
  private static let seeds = (0..<60).map(UInt64.init).filter {
    !ModelPlan(seed: $0).mergesSources
  }

  @Test("four threads, odd batches and restarts end as the interpreter does", arguments: seeds)
  func threads(seed: UInt64) throws {
    let plan = ModelPlan(seed: seed)
    let interpreter = ModelInterpreter(plan, ModelUserCode())
    let topology = try ModelTopology(plan: plan, code: ModelUserCode()).build()
    let root = FileManager.default.temporaryDirectory
      .appendingPathComponent("projector-determinism-\(UUID().uuidString)")
    defer {
      do { try FileManager.default.removeItem(at: root) } catch {
        Issue.record("\(root.path) stays: \(error)")
      }
    }
    let log = SimulatedLog(seed: seed &+ 1)
    for source in plan.sources {
      try log.administration?.createTopic(
        source.topic, partitions: plan.partitions, retention: TopicRetention())
    }
    var options = RunOptions()
    options.threads = 4
    options.reader.batchRecordsMax = 1 + Int(seed % 9)
    for (number, round) in ModelWorkload(plan).rounds.enumerated() {
      for record in round.records {
        let result = try log.makeAppender().append([record.producerRecord], to: record.topic)
        var stored = record
        stored.offset = result[0].offset
        interpreter.append(stored)
      }
      // Some rounds go together; the process is another one for each run.
      guard number % 2 == 1 else { continue }
      options.budget.records = [1, 4, 1_000][number / 2]
      try TopologyOwner(
        topology, stateRoot: root.path, log: log, options: options, clock: SystemWallClock(),
        report: { _ in }
      ).run(untilEnd: true)
      interpreter.run()
    }
    var expected = interpreter.result
    expected.outputs = [:]
    let found = try result(plan, topology, log, root.path, options)
    let differences = found.differences(from: expected)
    #expect(
      differences.isEmpty, "seed \(seed)\n\(plan)\n\(differences.joined(separator: "\n"))")
  }

  /// What lies in the state; what was sent is the model check's.
  private func result(
    _ plan: ModelPlan, _ topology: Topology, _ log: SimulatedLog, _ root: String,
    _ options: RunOptions
  ) throws -> ModelResult {
    let engine = try ManualEngine(
      topology, log: log, directory: StateDirectory(root: root, topology: topology.name),
      options: options, clock: SystemWallClock(), report: { _ in })
    defer { engine.close() }
    var result = ModelResult()
    for node in plan.stores + plan.audits {
      result.rows[node.name] = try engine.rows(node.name)
    }
    result.counters = engine.counters
    result.deadLetters = try engine.deadLetters().map { DeadLetterSummary($0).line }.sorted()
    result.held = try engine.heldRecords().map { DeadLetterSummary($0).line }.sorted()
    return result
  }
}
