/// A Swift type that an argument of an overload arrives as.
protocol NativeArgument: SendableMetatype {
  init?(argument: Value)
}

extension Bool: NativeArgument {
  init?(argument: Value) {
    guard case .bool(let value) = argument else { return nil }
    self = value
  }
}

extension Int64: NativeArgument {
  init?(argument: Value) {
    guard case .int(let value) = argument else { return nil }
    self = value
  }
}

extension UInt64: NativeArgument {
  init?(argument: Value) {
    guard case .uint(let value) = argument else { return nil }
    self = value
  }
}

extension Double: NativeArgument {
  init?(argument: Value) {
    guard case .double(let value) = argument else { return nil }
    self = value
  }
}

extension String: NativeArgument {
  init?(argument: Value) {
    guard case .string(let value) = argument else { return nil }
    self = value
  }
}

extension [UInt8]: NativeArgument {
  init?(argument: Value) {
    guard case .bytes(let value) = argument else { return nil }
    self = value
  }
}

extension ListValue: NativeArgument {
  init?(argument: Value) {
    guard case .list(let value) = argument else { return nil }
    self = value
  }
}

extension Value: NativeArgument {
  init?(argument: Value) { self = argument }
}

/// Bodies of overloads, written with the Swift types of their arguments.
///
/// The evaluator has chosen the overload by the arguments' types, so they always fit.
enum Native {
  static func body<A: NativeArgument>(
    _ body: @escaping @Sendable (A) -> Value
  ) -> @Sendable (Value) -> Value {
    { first in
      guard let first = A(argument: first) else { return .mismatch }
      return body(first)
    }
  }

  static func body<A: NativeArgument, B: NativeArgument>(
    _ body: @escaping @Sendable (A, B) -> Value
  ) -> @Sendable (Value, Value) -> Value {
    { first, second in
      guard let first = A(argument: first), let second = B(argument: second) else {
        return .mismatch
      }
      return body(first, second)
    }
  }

  static func body<A: NativeArgument, B: NativeArgument, C: NativeArgument>(
    _ body: @escaping @Sendable (A, B, C) -> Value
  ) -> @Sendable (Value, Value, Value) -> Value {
    { first, second, third in
      guard let first = A(argument: first), let second = B(argument: second),
        let third = C(argument: third)
      else { return .mismatch }
      return body(first, second, third)
    }
  }

  static func charging<A: NativeArgument>(
    _ body: @escaping @Sendable (A, inout Budget) -> Value
  ) -> Implementation {
    .charging { arguments, budget in
      guard arguments.count == 1, let first = A(argument: arguments[0]) else { return .mismatch }
      return body(first, &budget)
    }
  }

  static func charging<A: NativeArgument, B: NativeArgument>(
    _ body: @escaping @Sendable (A, B, inout Budget) -> Value
  ) -> Implementation {
    .charging { arguments, budget in
      guard arguments.count == 2, let first = A(argument: arguments[0]),
        let second = B(argument: arguments[1])
      else { return .mismatch }
      return body(first, second, &budget)
    }
  }

  static func charging<A: NativeArgument, B: NativeArgument, C: NativeArgument>(
    _ body: @escaping @Sendable (A, B, C, inout Budget) -> Value
  ) -> Implementation {
    .charging { arguments, budget in
      guard arguments.count == 3, let first = A(argument: arguments[0]),
        let second = B(argument: arguments[1]), let third = C(argument: arguments[2])
      else { return .mismatch }
      return body(first, second, third, &budget)
    }
  }
}
