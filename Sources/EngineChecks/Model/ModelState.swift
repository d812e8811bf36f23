import StreamCore
import Topology

/// What a record may be kept for, and where.
struct ModelKept: Hashable {
  enum Why: Hashable {
    case failed(String, parks: Bool)
    case firing(ModelTimer)
    /// Of each of these operators.
    case missingRow([String])
    case missingNumber
    case parked
  }
  var serial: Int
  var record: ModelRecord
  var order: ModelOrder
  var why: Why
  var operatorName: String
  var id: String
  /// Its turn among the records that the task took.
  var arrival = 0
  /// Whether its number has come, and is not checked again.
  var numberHasCome = false

  var parks: Bool { if case .failed(_, true) = why { true } else { false } }
}

/// A key of one source: what a dead letter bars.
struct ModelOrder: Hashable {
  var topic: String
  var key: String?
}

struct ModelTimer: Hashable, Comparable {
  var time: Int64
  /// The operator's place among all.
  var order: Int
  var name: String
  var key: String

  static func < (left: ModelTimer, right: ModelTimer) -> Bool {
    (left.time, left.order, left.key) < (right.time, right.order, right.key)
  }
}

/// All that one task of the model knows: a unit that fails puts a copy back.
struct ModelState {
  var rows: [String: [String: String]] = [:]
  /// How many values an audit view has of one entity and number.
  var audits: [String: Int] = [:]
  /// Values by event id.
  var seen: [String: Set<String?>] = [:]
  /// Sequence numbers that came and that no row has passed.
  var numbers: [ModelOrder: Set<Int64>] = [:]
  var held: [ModelKept] = []
  var dead: [ModelKept] = []
  var lastSerial = 0
  /// Records taken so far.
  var taken = 0
  var counters: [Counter: Int64] = [:]
  var outputs: [String: [ModelOutput]] = [:]
  var timers: Set<ModelTimer> = []
  var time: Int64 = .min
}

/// A record that left the topology.
public struct ModelOutput: Hashable, Sendable, CustomStringConvertible {
  public var key: String?
  public var value: String?
  public var type: String?
  public var correlationID: String?
  public var time: Int64?
  /// Of a dead letter: why, in which operator, and from where.
  public var deadLetter: String?

  public init(
    key: String?, value: String?, type: String?, correlationID: String?, time: Int64?,
    deadLetter: String? = nil
  ) {
    self.key = key
    self.value = value
    self.type = type
    self.correlationID = correlationID
    self.time = time
    self.deadLetter = deadLetter
  }

  public var description: String {
    "\(key ?? "null")=\(value ?? "null") type \(type ?? "-") correlation \(correlationID ?? "-") "
      + "at \(time.map { "\($0)" } ?? "-")\(deadLetter.map { " dead: \($0)" } ?? "")"
  }
}

/// Everything that can be seen of a run, in an order that does not depend on partitions.
public struct ModelResult: Hashable, Sendable {
  /// By store or audit view, then key.
  public var rows: [String: [String: String]] = [:]
  public var counters: [String: Int64] = [:]
  /// By topic, then key.
  public var outputs: [String: [String: [ModelOutput]]] = [:]
  /// `topic-partition@offset reason operator`, sorted.
  public var deadLetters: [String] = []
  public var held: [String] = []

  public init() {}

  /// Records without a key, and dead letters of several tasks, are in no promised order; how often
  /// one that dies again is published is not promised either.
  public mutating func sortUnordered() {
    for topic in outputs.keys {
      let isDead = topic == ModelPlan.deadLetterTopic
      for key in outputs[topic]?.keys ?? [:].keys where key == "null" || isDead {
        let all = outputs[topic]?[key] ?? []
        outputs[topic]?[key] = (isDead ? Array(Set(all)) : all).sorted { "\($0)" < "\($1)" }
      }
    }
  }

  /// Lines that say what differs; empty for equal results.
  public func differences(from expected: ModelResult) -> [String] {
    var lines: [String] = []
    func compare<Value: Equatable>(_ what: String, _ found: Value?, _ wanted: Value?) {
      if found != wanted {
        lines.append(
          "\(what):\n    engine \(found.map { "\($0)" } ?? "nothing")\n    model  "
            + "\(wanted.map { "\($0)" } ?? "nothing")")
      }
    }
    func each<Value: Equatable>(
      _ what: String, _ found: [String: Value], _ wanted: [String: Value]
    ) {
      for name in Set(found.keys).union(wanted.keys).sorted() {
        compare("\(what) \(name)", found[name], wanted[name])
      }
    }
    each("counter", counters, expected.counters)
    for name in Set(rows.keys).union(expected.rows.keys).sorted() {
      each("row of \(name)", rows[name] ?? [:], expected.rows[name] ?? [:])
    }
    compare("dead letters", deadLetters, expected.deadLetters)
    compare("held records", held, expected.held)
    for name in Set(outputs.keys).union(expected.outputs.keys).sorted() {
      each("output of \(name)", outputs[name] ?? [:], expected.outputs[name] ?? [:])
    }
    return lines
  }
}
