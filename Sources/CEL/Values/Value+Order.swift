import StreamCore

extension Value {
  /// The order of two values of one ordered type, or of two numbers of any types.
  ///
  /// - Returns: `nil` where they have no order.
  public static func order(_ left: Value, _ right: Value) -> ValueOrder? {
    switch (left, right) {
    case (.string(let left), .string(let right)):
      left.comesBefore(right) ? .less : left.isSame(as: right) ? .equal : .greater
    case (.bool(let left), .bool(let right)): left == right ? .equal : right ? .less : .greater
    case (.bytes(let left), .bytes(let right)):
      left.lexicographicallyPrecedes(right) ? .less : left == right ? .equal : .greater
    case (.timestamp(let left), .timestamp(let right)): ValueOrder(left, right)
    case (.duration(let left), .duration(let right)): ValueOrder(left, right)
    default: compareNumbers(left, right)
    }
  }

  /// The order of two numbers on one line, whatever their types; `nil` for anything else.
  static func compareNumbers(_ left: Value, _ right: Value) -> ValueOrder? {
    switch (left, right) {
    case (.int(let left), .int(let right)): ValueOrder(left, right)
    case (.double(let left), .double(let right)): ValueOrder(left, right)
    case (.uint(let left), .uint(let right)): ValueOrder(left, right)
    case (.int(let left), .uint(let right)):
      left < 0 ? .less : ValueOrder(UInt64(left), right)
    case (.int(let left), .double(let right)): order(left, right)
    case (.uint(let left), .double(let right)): order(left, right)
    case (.uint, .int), (.double, .int), (.double, .uint): compareNumbers(right, left)?.reversed
    case (.decimal(let left), .decimal(let right)): ValueOrder(left.decimal, right.decimal)
    case (.decimal(let left), .int(let right)): ValueOrder(left.decimal, Decimal(right))
    case (.decimal(let left), .uint(let right)): order(left.decimal, right)
    case (.decimal(let left), .double(let right)): order(left.decimal, right)
    case (_, .decimal): compareNumbers(right, left)?.reversed
    default: nil
    }
  }

  /// As doubles: beyond 2^53 neighbouring integers equal the double between them, as in every CEL
  /// (cel-spec, tests/simple/testdata/comparisons, `lossy`).
  private static func order(_ left: some BinaryInteger, _ right: Double) -> ValueOrder {
    ValueOrder(Double(left), right)
  }

  private static func order(_ left: Decimal, _ right: UInt64) -> ValueOrder {
    do {
      return ValueOrder(left, try Decimal(coefficient: Int128(right), scale: 0))
    } catch {
      preconditionFailure("64 bits have at most 20 digits: \(error)")
    }
  }

  /// By the double's shortest text: `0.1` is the decimal 0.1, as its writer meant.
  private static func order(_ left: Decimal, _ right: Double) -> ValueOrder {
    guard !right.isNaN else { return .unordered }
    guard right.isFinite, right.magnitude < 1e38 else { return right > 0 ? .less : .greater }
    do {
      return ValueOrder(left, try Decimal(parsing: right.description))
    } catch {
      // More than 38 digits behind the point: nearer to zero than any decimal but zero.
      return left.coefficient == 0
        ? (right > 0 ? .less : .greater) : (left.coefficient > 0 ? .greater : .less)
    }
  }
}
