/// The functions of the math library.
enum MathFunctions {
  /// `right` where it lies to `left` as `order` says, else `left`: of equal numbers the first.
  static func extreme(_ left: Value, _ right: Value, keeps order: ValueOrder) -> Value {
    if case .double(let number) = left, number.isNaN { return left }
    if case .double(let number) = right, number.isNaN { return right }
    return Value.compareNumbers(right, left) == order ? right : left
  }

  static func extreme(of list: ListValue, keeps order: ValueOrder) -> Value {
    guard var result = list.first else {
      return .error(.invalidArgument, "math.greatest and math.least take no empty list")
    }
    for value in list {
      switch value {
      case .int, .uint, .double, .decimal: result = extreme(result, value, keeps: order)
      case .error: return value
      default:
        return .error(
          .noSuchOverload,
          "math.greatest and math.least take numbers, not values of type \(value.type.runtimeName)")
      }
    }
    return result
  }

  @Sendable static func absolute(_ value: Int64) -> Value {
    value == .min
      ? .error(.overflow, "math.abs: \(value) has no counterpart in 64 bits")
      : .int(Swift.abs(value))
  }

  static func negativeShift(_ name: String, _ count: Int64) -> Value {
    .error(.invalidArgument, "\(name): the number of bits is negative, \(count)")
  }
}
