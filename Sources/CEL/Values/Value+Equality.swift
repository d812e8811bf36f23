import StreamCore

extension Value: Equatable {
  /// CEL's equality: numbers by value across their types, everything else only within its type, and NaN
  /// equal to nothing (cel-spec, "Equality").
  public static func == (left: Value, right: Value) -> Bool {
    var budget = Budget(.max)
    return left.isEqual(to: right, &budget)
  }

  /// CEL's equality, charging `budget` for each element of a list or map that is compared.
  ///
  /// - Returns: `false` also where the budget was exceeded, which the caller tells from the budget.
  public func isEqual(to other: Value, _ budget: inout Budget) -> Bool {
    switch (self, other) {
    case (.int(let left), .int(let right)): left == right
    case (.string(let left), .string(let right)): left.isSame(as: right)
    case (.bool(let left), .bool(let right)): left == right
    case (.double(let left), .double(let right)): left == right
    case (.uint(let left), .uint(let right)): left == right
    case (.null, .null): true
    case (.bytes(let left), .bytes(let right)): left == right
    case (.timestamp(let left), .timestamp(let right)): left == right
    case (.duration(let left), .duration(let right)): left == right
    case (.type(let left), .type(let right)): left.runtimeName == right.runtimeName
    case (.list(let left), .list(let right)): budget.nested { Self.areEqual(left, right, &$0) }
    case (.map(let left), .map(let right)): budget.nested { Self.areEqual(left, right, &$0) }
    case (.optional(let left), .optional(let right)):
      budget.nested { Self.areEqual(left, right, &$0) }
    case (.object(let left), .object(let right)): left.type == right.type && left.isEqual(to: right)
    case (.error(let left), .error(let right)): left == right
    default: Self.compareNumbers(self, other) == .equal
    }
  }

  private static func areEqual(_ left: ListValue, _ right: ListValue, _ budget: inout Budget)
    -> Bool
  {
    let count = left.count
    guard count == right.count, budget.charge(count) else { return false }
    for index in 0..<count where !left[index].isEqual(to: right[index], &budget) { return false }
    return budget.remaining >= 0
  }

  private static func areEqual(_ left: MapValue, _ right: MapValue, _ budget: inout Budget) -> Bool
  {
    guard left.count == right.count, budget.charge(left.count) else { return false }
    for (key, value) in left.entries {
      guard let other = right[key], value.isEqual(to: other, &budget) else { return false }
    }
    return budget.remaining >= 0
  }

  private static func areEqual(
    _ left: OptionalValue, _ right: OptionalValue, _ budget: inout Budget
  ) -> Bool {
    switch (left.value, right.value) {
    case (nil, nil): true
    case (let left?, let right?): budget.charge(1) && left.isEqual(to: right, &budget)
    default: false
    }
  }
}
