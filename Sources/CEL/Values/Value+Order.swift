import StreamCore

/// How one value lies to another.
public enum Order: Sendable {
  case less, equal, greater
  /// A NaN is among them.
  case unordered

  @inlinable
  init<T: Comparable>(_ left: T, _ right: T) {
    self = left < right ? .less : left == right ? .equal : left > right ? .greater : .unordered
  }

  var reversed: Order {
    switch self {
    case .less: .greater
    case .greater: .less
    default: self
    }
  }
}

extension Value {
  /// The order of two values of one ordered type, or of two numbers of any types.
  ///
  /// - Returns: `nil` where they have no order.
  public static func order(_ left: Value, _ right: Value) -> Order? {
    switch (left, right) {
    case (.string(let left), .string(let right)):
      left.comesBefore(right) ? .less : left.isSame(as: right) ? .equal : .greater
    case (.bool(let left), .bool(let right)): left == right ? .equal : right ? .less : .greater
    case (.bytes(let left), .bytes(let right)):
      left.lexicographicallyPrecedes(right) ? .less : left == right ? .equal : .greater
    case (.timestamp(let left), .timestamp(let right)): Order(left, right)
    case (.duration(let left), .duration(let right)): Order(left, right)
    default: compareNumbers(left, right)
    }
  }

  /// The order of two numbers on one line, whatever their types; `nil` for anything else.
  static func compareNumbers(_ left: Value, _ right: Value) -> Order? {
    switch (left, right) {
    case (.int(let left), .int(let right)): Order(left, right)
    case (.double(let left), .double(let right)): Order(left, right)
    case (.uint(let left), .uint(let right)): Order(left, right)
    case (.int(let left), .uint(let right)):
      left < 0 ? .less : Order(UInt64(left), right)
    case (.int(let left), .double(let right)): order(left, right)
    case (.uint(let left), .double(let right)): order(left, right)
    case (.uint, .int), (.double, .int), (.double, .uint): compareNumbers(right, left)?.reversed
    case (.decimal(let left), .decimal(let right)): Order(left.decimal, right.decimal)
    case (.decimal(let left), .int(let right)): Order(left.decimal, Decimal(right))
    case (.decimal(let left), .uint(let right)): order(left.decimal, right)
    case (.decimal(let left), .double(let right)): order(left.decimal, right)
    case (_, .decimal): compareNumbers(right, left)?.reversed
    default: nil
    }
  }

  /// As doubles: beyond 2^53 neighbouring integers equal the double between them, as in every CEL
  /// (cel-spec, tests/simple/testdata/comparisons, `lossy`).
  private static func order(_ left: some BinaryInteger, _ right: Double) -> Order {
    Order(Double(left), right)
  }

  private static func order(_ left: Decimal, _ right: UInt64) -> Order {
    do {
      return Order(left, try Decimal(coefficient: Int128(right), scale: 0))
    } catch {
      preconditionFailure("64 bits have at most 20 digits: \(error)")
    }
  }

  /// By the double's shortest text: `0.1` is the decimal 0.1, as its writer meant.
  private static func order(_ left: Decimal, _ right: Double) -> Order {
    guard !right.isNaN else { return .unordered }
    guard right.isFinite, right.magnitude < 1e38 else { return right > 0 ? .less : .greater }
    do {
      return Order(left, try Decimal(parsing: right.description))
    } catch {
      // More than 38 digits behind the point: nearer to zero than any decimal but zero.
      return left.coefficient == 0
        ? (right > 0 ? .less : .greater) : (left.coefficient > 0 ? .greater : .less)
    }
  }
}
