import StreamCore
import Topology

/// Runs a ``ModelPlan`` over dictionaries, a record at a time: slow, simple, without commits,
/// caches, threads or a log. What the engine does must look the same.
public final class ModelInterpreter {
  private let plan: ModelPlan
  private var tasks: [ModelTask]
  /// Records that were appended and not processed yet, by task and source.
  private var pending: [[[ModelRecord]]]
  /// The wall clock, and since when each source without records was seen so, by task and source.
  private var now: Int64 = 0
  private var emptySince: [[Int64?]]

  public init(_ plan: ModelPlan, _ code: ModelUserCode) {
    self.plan = plan
    tasks = plan.components.flatMap { sources in
      (0..<plan.partitions).map { ModelTask(plan, code, sources: sources, partition: $0) }
    }
    pending = tasks.map { task in task.sources.map { _ in [] } }
    emptySince = tasks.map { task in task.sources.map { _ in nil } }
  }

  /// Puts a record, with its offset, behind those of its partition.
  public func append(_ record: ModelRecord) {
    for (number, task) in tasks.enumerated() where task.partition == record.partition {
      for (place, source) in task.sources.enumerated()
      where plan.sources[source].topic == record.topic {
        pending[number][place].append(record)
        emptySince[number][place] = nil
      }
    }
  }

  /// Processes all that was appended and waits for no source.
  public func run() {
    for number in tasks.indices {
      while !mustWait(number), let place = nextInput(pending[number], tasks[number]) {
        tasks[number].take(pending[number][place].removeFirst())
      }
    }
  }

  /// Lets time pass.
  public func advance(by milliseconds: Int64) { now += milliseconds }

  /// Another process goes on: what was waited for is waited for anew.
  public func restart() {
    for number in tasks.indices { emptySince[number] = emptySince[number].map { _ in nil } }
  }

  /// Whether a source without records has not been waited for long enough.
  private func mustWait(_ number: Int) -> Bool {
    var mustWait = false
    for (place, source) in tasks[number].sources.enumerated()
    where pending[number][place].isEmpty {
      let since = emptySince[number][place] ?? now
      emptySince[number][place] = since
      if now - since < plan.sources[source].idle { mustWait = true }
    }
    return mustWait
  }

  /// Each input has a record or is at its end: the lowest event time goes first, then input.
  private func nextInput(_ inputs: [[ModelRecord]], _ task: ModelTask) -> Int? {
    inputs.indices.filter { !inputs[$0].isEmpty }.min { left, right in
      // One without a time is the next.
      let (first, second) = (task.time(of: inputs[left][0]), task.time(of: inputs[right][0]))
      return (first == nil ? 0 : 1, first ?? 0, left) < (second == nil ? 0 : 1, second ?? 0, right)
    }
  }

  public func retryDeadLetters() {
    for number in tasks.indices { tasks[number].retryDeadLetters() }
  }

  public func endTime() { for number in tasks.indices { tasks[number].endTime() } }

  /// Whether each task's fates add up to what it consumed.
  public var fatesAddUp: Bool { tasks.allSatisfy(\.fatesAddUp) }

  public var result: ModelResult {
    var result = ModelResult()
    for node in plan.stores + plan.audits { result.rows[node.name] = [:] }
    for task in tasks {
      let state = task.state
      for (store, rows) in state.rows {
        result.rows[store, default: [:]].merge(rows) { first, _ in first }
      }
      for (counter, count) in state.counters where count != 0 {
        result.counters[counter.name, default: 0] += count
      }
      for (topic, outputs) in state.outputs {
        for output in outputs {
          result.outputs[topic, default: [:]][output.key ?? "null", default: []].append(output)
        }
      }
      result.deadLetters += state.dead.map(\.line)
      result.held += state.held.map(\.line)
    }
    result.deadLetters.sort()
    result.held.sort()
    result.sortUnordered()
    return result
  }
}

extension ModelKept {
  /// As ``ModelResult`` lists it.
  var line: String {
    let place = "\(record.topic)-\(record.partition)@\(record.offset)"
    switch why {
    case .failed(let reason, let parks):
      return "\(place) \(reason)\(parks ? " parks" : "") '\(operatorName)'"
    case .firing(let timer): return "firing '\(timer.name)' of \(timer.key) at \(timer.time)"
    case .missingRow: return "\(place) waits for '\(operatorName)'"
    case .missingNumber: return "\(place) waits for its number"
    case .parked: return "\(place) parked"
    }
  }
}

extension ModelPlan {
  /// Whether one task reads two sources.
  public var mergesSources: Bool { components.count < sources.count }

  /// Sources that share operators, each list in order.
  var components: [[Int]] {
    let merged = nodes.contains { node in
      guard case .merge(let other) = node.kind else { return false }
      return !origins(of: node.input).union(origins(of: other)).isStrictSubset(of: [0, 1])
    }
    return merged && sources.count == 2 ? [[0, 1]] : sources.indices.map { [$0] }
  }

  /// Topics whose records reach a stream.
  func topics(above stream: Int) -> Set<String> {
    Set(origins(of: stream).map { sources[$0].topic })
  }

  /// The sources whose events a stream may carry.
  private func origins(of stream: Int) -> Set<Int> {
    if sources.indices.contains(stream) { return [stream] }
    guard let node = nodes.first(where: { $0.outputs.contains(stream) }) else { return [] }
    var origins = origins(of: node.input)
    if case .merge(let other) = node.kind { origins.formUnion(self.origins(of: other)) }
    return origins
  }
}
