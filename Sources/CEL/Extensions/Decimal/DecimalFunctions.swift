import StreamCore

extension Decimal: NativeArgument {
  init?(argument: Value) {
    guard case .decimal(let value) = argument else { return nil }
    self = value.decimal
  }
}

/// The functions of the decimal library.
enum DecimalFunctions {
  static func result(_ compute: () throws(DecimalError) -> Decimal) -> Value {
    do {
      return .decimal(try compute())
    } catch {
      switch error {
      case .divisionByZero: return .error(.divisionByZero, "division by zero")
      case .overflow: return .error(.overflow, "\(error)")
      case .malformed: return .error(.invalidArgument, "\(error)")
      }
    }
  }

  @Sendable static func parse(_ text: String) -> Value {
    do {
      return .decimal(try Decimal(parsing: text))
    } catch {
      return .error(
        error == .overflow ? .overflow : .invalidArgument,
        "decimal: \(text.quoted) is \(reason(error))")
    }
  }

  private static func reason(_ error: DecimalError) -> String {
    error == .overflow ? "too long, \(error)" : "\(error)"
  }

  @Sendable static func fromUInt(_ value: UInt64) -> Value {
    result { () throws(DecimalError) in try Decimal(coefficient: Int128(value), scale: 0) }
  }

  /// By the shortest text that is read as the double: 0.1 becomes 0.1.
  @Sendable static func fromDouble(_ value: Double) -> Value {
    guard value.isFinite else {
      return .error(.outOfRange, "decimal: \(value.isNaN ? "NaN" : "an infinity") is no decimal")
    }
    return result { () throws(DecimalError) in
      let number = try Decimal(parsing: value.description)
      return number.canonical
    }
  }

  /// Towards zero, as the conversion of doubles.
  @Sendable static func int(_ value: Decimal) -> Value {
    guard let whole = truncated(value).flatMap({ Int64(exactly: $0) }) else {
      return .error(.outOfRange, "int: \(value) is beyond 64 bits")
    }
    return .int(whole)
  }

  @Sendable static func uint(_ value: Decimal) -> Value {
    guard let whole = truncated(value).flatMap({ UInt64(exactly: $0) }) else {
      return .error(.outOfRange, "uint: \(value) is negative or beyond 64 bits")
    }
    return .uint(whole)
  }

  private static func truncated(_ value: Decimal) -> Int128? {
    do {
      return try value.rounded(scale: 0, rounding: .down).coefficient
    } catch {
      return nil
    }
  }

  private static func checked(_ function: String, scale: Int64) -> Value? {
    guard scale >= 0, scale <= Int64(Decimal.digitsMax) else {
      return .error(
        .invalidArgument, "\(function): a scale is 0 to \(Decimal.digitsMax), not \(scale)")
    }
    return nil
  }

  private static func rounding(_ name: String) -> Decimal.Rounding? {
    switch name {
    case "halfEven": .halfEven
    case "halfUp": .halfUp
    case "down": .down
    case "up": .up
    default: nil
    }
  }

  private static func unknownRounding(_ function: String, _ name: String) -> Value {
    .error(
      .invalidArgument,
      "\(function): there is no rounding \(name.quoted); there are 'halfEven', 'halfUp', 'down', 'up'"
    )
  }

  @Sendable static func divide(_ value: Decimal, _ divisor: Decimal, _ scale: Int64) -> Value {
    divide(value, divisor, scale, "halfEven")
  }

  static let divideRounding = Implementation.variadic { arguments in
    guard arguments.count == 4, let value = Decimal(argument: arguments[0]),
      let divisor = Decimal(argument: arguments[1])
        ?? Int64(argument: arguments[1]).map({ Decimal($0) }),
      let scale = Int64(argument: arguments[2]), let name = String(argument: arguments[3])
    else { return .mismatch }
    return divide(value, divisor, scale, name)
  }

  private static func divide(
    _ value: Decimal, _ divisor: Decimal, _ scale: Int64, _ name: String
  ) -> Value {
    if let error = checked("divide", scale: scale) { return error }
    guard let rounding = rounding(name) else { return unknownRounding("divide", name) }
    return result { () throws(DecimalError) in
      try value.divided(by: divisor, scale: Int(scale), rounding: rounding)
    }
  }

  @Sendable static func round(_ value: Decimal, _ scale: Int64, _ name: String) -> Value {
    if let error = checked("round", scale: scale) { return error }
    guard let rounding = rounding(name) else { return unknownRounding("round", name) }
    return result { () throws(DecimalError) in
      try value.rounded(scale: Int(scale), rounding: rounding)
    }
  }
}
