import StreamCore

/// What makes an operator's output what it is, besides its closures: a serde, a policy, a retention.
public struct OperatorParameter: Hashable, Sendable {
  public enum Value: Hashable, Sendable {
    case text(String)
    case number(Int64)
    case flag(Bool)
    case duration(Duration)
    /// In order.
    case list([String])
    /// A policy's action after further tries.
    case retried(action: String, times: Int, backoff: Duration)
  }

  /// What lineage makes of it.
  public enum Role: Hashable, Sendable {
    /// Another value makes other rows.
    case meaning
    /// As `meaning`; but where it was `fail`, nothing came of it that another one would undo.
    case policy
    /// Rows do not depend on it.
    case incidental
  }

  /// In camelCase: the label of the DSL.
  public let name: String
  public let value: Value
  public let role: Role

  public init(_ name: String, _ value: Value, _ role: Role = .meaning) {
    self.name = name
    self.value = value
    self.role = role
  }

  /// A parameter whose value is a word.
  @usableFromInline
  init(_ name: String, _ word: String) { self.init(name, .text(word)) }

  /// A policy without retries.
  static func policy(_ name: String, _ policy: String) -> OperatorParameter {
    OperatorParameter(name, .text(policy), .policy)
  }

  static func policy<Policy: RawRepresentable<String>>(_ name: String, _ policy: Policy)
    -> OperatorParameter
  {
    OperatorParameter(name, .text(policy.rawValue), .policy)
  }

  /// A policy whose retries, if it has any, are no part of lineage.
  static func policy(_ name: String, _ policy: ErrorPolicy) -> OperatorParameter {
    let action = policy.action.rawValue
    return OperatorParameter(
      name,
      policy.retries == 0
        ? .text(action)
        : .retried(action: action, times: policy.retries, backoff: policy.backoff), .policy)
  }

  /// For people.
  var text: String {
    switch value {
    case .text(let text): text
    case .number(let number): String(number)
    case .flag(let flag): String(flag)
    case .duration(let duration): duration.text
    case .list(let elements): elements.joined(separator: ", ")
    case .retried(let action, let times, let backoff):
      "retry(\(times), \(backoff.text)) then \(action)"
    }
  }

  /// What lineage says of it: of a policy the action alone.
  var meaning: String {
    if case .retried(let action, _, _) = value { action } else { text }
  }
}
