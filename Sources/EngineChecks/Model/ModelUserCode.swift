import Synchronization
public import Topology

/// The error of an operator that was told to fail.
public struct ModelTrouble: Error, CustomStringConvertible {
  public let description: String
}

/// The closures of a model's topology: what its user wrote, the same on both sides.
///
/// Failures that end after some calls are state of the world outside, so each side has its own.
public final class ModelUserCode: Sendable {
  private let calls = Mutex<[String: Int]>([:])

  public init() {}

  /// Fails where the event says so.
  public func enter(_ name: String, _ event: ModelEvent) throws {
    guard event.trouble == name else { return }
    let call = calls.withLock { calls in
      calls["\(name)/\(event.uid)", default: 0] += 1
      return calls["\(name)/\(event.uid)"] ?? 0
    }
    if call <= event.times { throw ModelTrouble(description: "trouble \(call) in \(name)") }
  }

  /// How often each operator was called so far: what a test takes back with a crash.
  public var memory: [String: Int] {
    get { calls.withLock { $0 } }
    set { calls.withLock { $0 = newValue } }
  }

  public static let types = ["NEW", "MOD", "SET", "DROP", "ADD", "TEN"]

  public static func latestVersion(of type: String) -> Int {
    switch type {
    case "ADD": 2
    case "TEN": 3
    default: 1
    }
  }

  /// The number of an event after its upcasters, of which each does something else.
  public static func upcast(_ number: Int64, of type: String, from version: Int) -> Int64 {
    switch (type, version) {
    case ("ADD", 1): number + 1_000
    case ("TEN", 1): (number + 1) * 10
    case ("TEN", 2): number * 10
    default: number
    }
  }

  public static func flatMap(_ event: ModelEvent) -> [ModelEvent] {
    (0..<abs(event.number % 3)).map { offset in
      var copy = event
      copy.number += offset
      return copy
    }
  }

  /// Whether a row of this text has bytes, in a store that refuses some.
  public static func hasBytes(_ row: String) -> Bool {
    row.utf8.reduce(0) { $0 + Int($1) } % 6 != 0
  }

  /// The branch of a split; `nil` is the rest.
  public static func branch(_ event: ModelEvent) -> Int? {
    let remainder = abs(event.number % 3)
    return remainder < 2 ? Int(remainder) : nil
  }

  public static func reduce(_ row: ModelEvent, _ event: ModelEvent) -> ModelEvent {
    var sum = event
    sum.number += row.number
    return sum
  }

  public static func project(_ row: ModelRow?, _ event: ModelEvent, sequence: Int64?)
    -> ProjectionStep<ModelRow>
  {
    switch event.type {
    case "NEW": return .put(ModelRow(number: event.number, sequence: sequence, note: "new"))
    case "DROP": return .delete
    case "SET" where event.number % 2 == 0: return .unchanged
    default:
      guard var row else {
        let partial = ModelRow(number: event.number, sequence: sequence, note: "partial")
        return .missing(partial: event.number % 2 == 0 ? partial : nil)
      }
      row.number += event.number
      if let sequence { row.sequence = sequence }
      row.note = event.type
      return .put(row)
    }
  }

  /// What a processor's timer makes of its key's row; every third number fails the firing.
  public static func timer(_ row: ModelRow?, at time: Int64) throws -> ModelEvent {
    let number = row?.number ?? -1
    if number % 5 == 3 { throw ModelTrouble(description: "a timer that fails") }
    return ModelEvent(
      type: "TIMER", number: number &* 1_000 &+ time, trouble: nil, times: 0, uid: -1)
  }
}
