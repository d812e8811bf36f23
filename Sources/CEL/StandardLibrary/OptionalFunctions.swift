import StreamCore

/// Values that may be absent (cel-spec, "Optionals", after cel-go's OptionalTypes).
enum OptionalFunctions {
  private static let value = CELType.parameter("T")
  private static let optional = CELType.optional(value)

  static let functions: [Function] = [
    Function(
      "optional.of",
      .global([value], optional, cost: .constant) { .optional(OptionalValue($0)) }),
    Function(
      "optional.ofNonZeroValue",
      .global([value], optional, cost: .constant) { value in
        .optional(isZero(value) ? .none : OptionalValue(value))
      }),
    Function(
      "optional.none",
      .global([], optional, cost: .constant) { () -> Value in .optional(OptionalValue.none) }),
    Function(
      "hasValue",
      .member([optional], .bool, cost: .constant) { optional in
        guard case .optional(let optional) = optional else { return .mismatch }
        return .bool(optional.value != nil)
      }),
    Function(
      "value",
      .member([optional], value, cost: .constant) { optional in
        guard case .optional(let optional) = optional else { return .mismatch }
        return optional.value ?? .error(.invalidArgument, "optional.none() has no value")
      }),
    // The other side is evaluated only where it is needed: the evaluator knows how.
    Function("or", lazy([optional, optional], optional)),
    Function("orValue", lazy([optional, value], value)),
    Function(
      "optional.unwrap", .global([.list(optional)], .list(value)) { unwrap($0) }),
    Function("unwrapOpt", .member([.list(optional)], .list(value)) { unwrap($0) }),
    Function(
      "first",
      .member([.list(value)], optional, cost: .constant) { list in
        guard case .list(let list) = list else { return .mismatch }
        return .optional(OptionalValue(list.first))
      }),
    Function(
      "last",
      .member([.list(value)], optional, cost: .constant) { list in
        guard case .list(let list) = list else { return .mismatch }
        return .optional(OptionalValue(list.last))
      }),
  ]

  private static func lazy(_ parameters: [CELType], _ result: CELType) -> Overload {
    var overload = Overload(
      isMember: true, parameters: parameters, result: result,
      implementation: .variadic { _ in .mismatch })
    overload.isBuiltIn = true
    return overload
  }

  private static func unwrap(_ list: Value) -> Value {
    guard case .list(let list) = list else { return .mismatch }
    var values: [Value] = []
    for element in list {
      guard case .optional(let optional) = element else { return .mismatch }
      if let value = optional.value { values.append(value) }
    }
    return .list(values)
  }

  /// Null, false, zero, and what is empty.
  private static func isZero(_ value: Value) -> Bool {
    switch value {
    case .null: true
    case .bool(let value): !value
    case .int(let value): value == 0
    case .uint(let value): value == 0
    case .double(let value): value == 0
    case .string(let value): value.isEmpty
    case .bytes(let value): value.isEmpty
    case .list(let value): value.isEmpty
    case .map(let value): value.count == 0
    case .duration(let value): value == .zero
    case .decimal(let value): value.decimal == .zero
    case .timestamp(let value): value.seconds == 0 && value.nanoseconds == 0
    case .optional(let value): value.value == nil
    case .type, .object, .error: false
    }
  }
}
