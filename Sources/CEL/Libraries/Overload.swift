/// One signature of a function, and what computes it.
///
/// Implementations see no error among their arguments: an error there is the call's result already.
/// They return ``Value/error(_:)`` where there is no result, never trap, and read neither clock, locale,
/// randomness nor I/O. Their arguments are of the declared types, also in calls on `dyn`; type
/// parameters and `dyn` accept any value.
public struct Overload: Sendable {
  /// What a call costs, see ``EvaluationLimits``; charged before the call.
  public enum Cost: Sendable {
    /// One.
    case constant
    /// One, and a further one for each 16 bytes of text or bytes, and each list element or map entry, among the arguments.
    case linear
  }

  public let isMember: Bool
  /// With the target of a member function first.
  public let parameters: [CELType]
  public let result: CELType
  public let cost: Cost
  public let implementation: Implementation
  /// Given the arguments that are constant in an expression (`nil` for others), an implementation made for them, or
  /// `nil`. A regular expression is compiled here, once a program.
  public var specialize: (@Sendable (_ constants: [Value?]) -> Implementation?)?
  /// Whether the evaluator knows the operator for these types by itself.
  var isBuiltIn = false

  public init(
    isMember: Bool, parameters: [CELType], result: CELType, cost: Cost = .linear,
    implementation: Implementation,
    specialize: (@Sendable (_ constants: [Value?]) -> Implementation?)? = nil
  ) {
    precondition(!isMember || !parameters.isEmpty, "a member function has a target")
    self.isMember = isMember
    self.parameters = parameters
    self.result = result
    self.cost = cost
    self.implementation = implementation
    self.specialize = specialize
  }
}

/// What computes a call, by the number of its arguments.
public enum Implementation: Sendable {
  case nullary(@Sendable () -> Value)
  case unary(@Sendable (Value) -> Value)
  case binary(@Sendable (Value, Value) -> Value)
  case ternary(@Sendable (Value, Value, Value) -> Value)
  /// Any number of arguments.
  case variadic(@Sendable ([Value]) -> Value)
  /// For functions whose cost the arguments' sizes do not bound, such as `lists.range(1000000)`: they charge
  /// what they do to the budget before they do it.
  case charging(@Sendable ([Value], inout Budget) -> Value)

  /// Computes the call; a wrong number of arguments is an error value.
  func callAsFunction(_ arguments: [Value], _ budget: inout Budget) -> Value {
    switch self {
    case .nullary(let body) where arguments.isEmpty: body()
    case .unary(let body) where arguments.count == 1: body(arguments[0])
    case .binary(let body) where arguments.count == 2: body(arguments[0], arguments[1])
    case .ternary(let body) where arguments.count == 3:
      body(arguments[0], arguments[1], arguments[2])
    case .variadic(let body): body(arguments)
    case .charging(let body): body(arguments, &budget)
    default: .error(.noSuchOverload, "a function was called with \(arguments.count) arguments")
    }
  }
}

extension Overload {
  public static func global(
    _ parameters: [CELType], _ result: CELType, cost: Cost = .linear,
    _ body: @escaping @Sendable () -> Value
  ) -> Overload {
    Overload(
      isMember: false, parameters: parameters, result: result, cost: cost,
      implementation: .nullary(body))
  }

  public static func global(
    _ parameters: [CELType], _ result: CELType, cost: Cost = .linear,
    _ body: @escaping @Sendable (Value) -> Value
  ) -> Overload {
    Overload(
      isMember: false, parameters: parameters, result: result, cost: cost,
      implementation: .unary(body))
  }

  public static func global(
    _ parameters: [CELType], _ result: CELType, cost: Cost = .linear,
    _ body: @escaping @Sendable (Value, Value) -> Value
  ) -> Overload {
    Overload(
      isMember: false, parameters: parameters, result: result, cost: cost,
      implementation: .binary(body))
  }

  public static func global(
    _ parameters: [CELType], _ result: CELType, cost: Cost = .linear,
    _ body: @escaping @Sendable (Value, Value, Value) -> Value
  ) -> Overload {
    Overload(
      isMember: false, parameters: parameters, result: result, cost: cost,
      implementation: .ternary(body))
  }

  public static func member(
    _ parameters: [CELType], _ result: CELType, cost: Cost = .linear,
    _ body: @escaping @Sendable (Value) -> Value
  ) -> Overload {
    Overload(
      isMember: true, parameters: parameters, result: result, cost: cost,
      implementation: .unary(body))
  }

  public static func member(
    _ parameters: [CELType], _ result: CELType, cost: Cost = .linear,
    _ body: @escaping @Sendable (Value, Value) -> Value
  ) -> Overload {
    Overload(
      isMember: true, parameters: parameters, result: result, cost: cost,
      implementation: .binary(body))
  }

  public static func member(
    _ parameters: [CELType], _ result: CELType, cost: Cost = .linear,
    _ body: @escaping @Sendable (Value, Value, Value) -> Value
  ) -> Overload {
    Overload(
      isMember: true, parameters: parameters, result: result, cost: cost,
      implementation: .ternary(body))
  }
}
