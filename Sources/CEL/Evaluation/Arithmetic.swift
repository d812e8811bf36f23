import StreamCore

/// The operators on numbers, texts, lists and times; `nil` where the specification has none for
/// these types (cel-spec, "Arithmetic Operators", "Overflow").
enum Arithmetic {
  static let overflow = Value.error(.overflow, "integer overflow")
  static let zero = Value.error(.divisionByZero, "division by zero")

  @inline(__always)
  private static func checked(_ result: (partialValue: Int64, overflow: Bool)) -> Value {
    result.overflow ? overflow : .int(result.partialValue)
  }

  @inline(__always)
  private static func checked(_ result: (partialValue: UInt64, overflow: Bool)) -> Value {
    result.overflow ? overflow : .uint(result.partialValue)
  }

  static func add(_ left: Value, _ right: Value, _ budget: inout Budget) -> Value? {
    switch (left, right) {
    case (.int(let left), .int(let right)): checked(left.addingReportingOverflow(right))
    case (.double(let left), .double(let right)): .double(left + right)
    case (.uint(let left), .uint(let right)): checked(left.addingReportingOverflow(right))
    case (.string(let left), .string(let right)):
      budget.charge((left.utf8.count + right.utf8.count) / Cost.bytesPerUnit)
        ? .string(left + right) : .error(Budget.exceeded)
    case (.bytes(let left), .bytes(let right)):
      budget.charge((left.count + right.count) / Cost.bytesPerUnit)
        ? .bytes(left + right) : .error(Budget.exceeded)
    case (.list(let left), .list(let right)):
      budget.charge(left.count + right.count)
        ? .list(left.elements + right.elements) : .error(Budget.exceeded)
    case (.timestamp(let instant), .duration(let duration)),
      (.duration(let duration), .timestamp(let instant)):
      TimeArithmetic.instant(instant, plus: TimeArithmetic.nanoseconds(duration))
    case (.duration(let left), .duration(let right)):
      TimeArithmetic.duration(
        nanoseconds: TimeArithmetic.nanoseconds(left) + TimeArithmetic.nanoseconds(right))
    default: nil
    }
  }

  static func subtract(_ left: Value, _ right: Value, _ budget: inout Budget) -> Value? {
    switch (left, right) {
    case (.int(let left), .int(let right)): checked(left.subtractingReportingOverflow(right))
    case (.double(let left), .double(let right)): .double(left - right)
    case (.uint(let left), .uint(let right)): checked(left.subtractingReportingOverflow(right))
    case (.timestamp(let left), .timestamp(let right)):
      TimeArithmetic.duration(from: right, to: left)
    case (.timestamp(let instant), .duration(let duration)):
      TimeArithmetic.instant(instant, plus: -TimeArithmetic.nanoseconds(duration))
    case (.duration(let left), .duration(let right)):
      TimeArithmetic.duration(
        nanoseconds: TimeArithmetic.nanoseconds(left) - TimeArithmetic.nanoseconds(right))
    default: nil
    }
  }

  static func multiply(_ left: Value, _ right: Value, _ budget: inout Budget) -> Value? {
    switch (left, right) {
    case (.int(let left), .int(let right)): checked(left.multipliedReportingOverflow(by: right))
    case (.double(let left), .double(let right)): .double(left * right)
    case (.uint(let left), .uint(let right)): checked(left.multipliedReportingOverflow(by: right))
    default: nil
    }
  }

  /// Towards zero for integers; a double divided by zero is an infinity or NaN.
  static func divide(_ left: Value, _ right: Value, _ budget: inout Budget) -> Value? {
    switch (left, right) {
    case (.int, .int(0)), (.uint, .uint(0)): zero
    case (.int(let left), .int(let right)): checked(left.dividedReportingOverflow(by: right))
    case (.double(let left), .double(let right)): .double(left / right)
    case (.uint(let left), .uint(let right)): .uint(left / right)
    default: nil
    }
  }

  /// With the sign of the dividend.
  static func remainder(_ left: Value, _ right: Value, _ budget: inout Budget) -> Value? {
    switch (left, right) {
    case (.int, .int(0)), (.uint, .uint(0)): .error(.divisionByZero, "modulus by zero")
    case (.int(let left), .int(let right)):
      checked(left.remainderReportingOverflow(dividingBy: right))
    case (.uint(let left), .uint(let right)): .uint(left % right)
    default: nil
    }
  }

  static func negate(_ value: Value) -> Value? {
    switch value {
    case .int(let value): checked((0 as Int64).subtractingReportingOverflow(value))
    case .double(let value): .double(-value)
    default: nil
    }
  }
}
