extension Compiler {
  @inline(never)
  mutating func call(
    _ node: Expression, _ function: String, _ target: Expression?, _ arguments: [Expression]
  ) -> Code {
    if let code = read(node) { return code }
    guard case .call(let candidates, let isQualified)? = checked.reference(node) else {
      return Code(
        failing: EvaluationError(.undeclaredReference, "undeclared function '\(function)'"))
    }
    let operands = (isQualified ? [] : target.map { [$0] } ?? []) + arguments
    if !candidates.isEmpty, candidates.allSatisfy({ $0.filters.count == operands.count }),
      let code = builtIn(node, function, candidates, operands)
    {
      return code
    }
    return general(function, candidates, operands.map { compile($0) })
  }

  /// Operators that the evaluator knows by itself.
  @inline(never)
  private mutating func builtIn(
    _ node: Expression, _ function: String, _ candidates: [Candidate], _ operands: [Expression]
  ) -> Code? {
    guard candidates.contains(where: { $0.overload.isBuiltIn }) else { return nil }
    switch function {
    case Operator.and: return and(operands)
    case Operator.or: return or(operands)
    case Operator.not: return not(operands)
    case Operator.notStrictlyFalse: return notStrictlyFalse(operands)
    case Operator.conditional: return conditional(node, operands)
    case Operator.equal: return equality(candidates, operands, isEqual: true)
    case Operator.notEqual: return equality(candidates, operands, isEqual: false)
    case Operator.less, Operator.lessOrEqual, Operator.greater, Operator.greaterOrEqual:
      return comparison(function, candidates, operands)
    case Operator.add: return binary(function, candidates, operands, Arithmetic.add)
    case Operator.subtract: return binary(function, candidates, operands, Arithmetic.subtract)
    case Operator.multiply: return binary(function, candidates, operands, Arithmetic.multiply)
    case Operator.divide: return binary(function, candidates, operands, Arithmetic.divide)
    case Operator.remainder: return binary(function, candidates, operands, Arithmetic.remainder)
    case Operator.contained: return contained(operands)
    case Operator.index:
      return strict(operands) { operand, key, _ in Selection.element(of: operand, at: key) }
    case Operator.optionalIndex:
      return strict(operands) { operand, key, _ in Selection.optionalElement(of: operand, at: key) }
    case "or", "orValue": return optionalDefault(operands, isOptional: function == "or")
    default: return nil
    }
  }

  /// Two operands, neither of them an error.
  @inline(never)
  private mutating func strict(
    _ operands: [Expression], _ body: @escaping @Sendable (Value, Value, inout Frame) -> Value
  ) -> Code {
    let left = compile(operands[0])
    let right = compile(operands[1])
    let (leftValue, rightValue) = (left.value, right.value)
    let code: ValueCode = { frame in
      let left = leftValue(&frame)
      if left.isError { return left }
      let right = rightValue(&frame)
      if right.isError { return right }
      return body(left, right, &frame)
    }
    return left.constant != nil && right.constant != nil ? Self.folded(code) : Code(code)
  }

  @inline(never)
  private mutating func binary(
    _ function: String, _ candidates: [Candidate], _ operands: [Expression],
    _ builtIn: @escaping @Sendable (Value, Value, inout Budget) -> Value?
  ) -> Code {
    let others = candidates.filter { !$0.overload.isBuiltIn }
    return strict(operands) { left, right, frame in
      if let result = builtIn(left, right, &frame.budget) { return result }
      return Self.dispatch(others, left, right, &frame) ?? Self.noOverload(function, [left, right])
    }
  }

  /// `value in list`, `key in map`.
  @inline(never)
  private mutating func contained(_ operands: [Expression]) -> Code {
    let left = compile(operands[0])
    let right = compile(operands[1])
    let (leftValue, rightValue) = (left.value, right.value)
    if case .list(let list)? = right.constant, let set = ConstantSet(list) {
      if let slot = left.slot {
        let missing = left.missing
        return Code(truth: { frame in
          let value = frame.bindings.value(at: slot) ?? missing
          if case .error(let error) = value { return frame.fail(error) }
          return Truth(set.contains(value))
        })
      }
      return Code(truth: { frame in
        let value = leftValue(&frame)
        if case .error(let error) = value { return frame.fail(error) }
        return Truth(set.contains(value))
      })
    }
    return Code(truth: { frame in
      let value = leftValue(&frame)
      if case .error(let error) = value { return frame.fail(error) }
      switch rightValue(&frame) {
      case .list(let list):
        guard frame.budget.charge(list.count) else { return frame.fail(Budget.exceeded) }
        for element in list where value.isEqual(to: element, &frame.budget) { return .yes }
        return frame.budget.remaining < 0 ? frame.fail(Budget.exceeded) : .no
      case .map(let map): return Truth(map[value] != nil)
      case .error(let error): return frame.fail(error)
      case let other: return frame.truth(Self.noOverload(Operator.contained, [value, other]))
      }
    })
  }

  /// `optional.or(other)` and `optional.orValue(value)`: the other side only where it is needed.
  @inline(never)
  private mutating func optionalDefault(_ operands: [Expression], isOptional: Bool) -> Code {
    let target = compile(operands[0]).value
    let other = compile(operands[1]).value
    return Code { frame in
      let value = target(&frame)
      guard case .optional(let optional) = value else {
        return value.isError
          ? value : Self.noOverload(isOptional ? "or" : "orValue", [value, .null])
      }
      guard let inner = optional.value else { return other(&frame) }
      return isOptional ? value : inner
    }
  }

  // MARK: Functions

  @inline(never)
  private mutating func general(_ function: String, _ candidates: [Candidate], _ arguments: [Code])
    -> Code
  {
    let constants = arguments.map(\.constant)
    let specialized = candidates.map { candidate -> Implementation in
      guard constants.contains(where: { $0 != nil }), let specialize = candidate.overload.specialize
      else { return candidate.overload.implementation }
      return specialize(constants) ?? candidate.overload.implementation
    }
    let code: ValueCode
    let unaries = specialized.compactMap { if case .unary(let body) = $0 { body } else { nil } }
    let binaries = specialized.compactMap { if case .binary(let body) = $0 { body } else { nil } }
    if arguments.count == 1, !candidates.isEmpty, unaries.count == candidates.count {
      code = unary(function, Array(zip(candidates, unaries)), arguments[0].value)
    } else if arguments.count == 2, !candidates.isEmpty, binaries.count == candidates.count {
      code = binary(
        function, Array(zip(candidates, binaries)), arguments[0].value, arguments[1].value)
    } else {
      let values = arguments.map(\.value)
      code = { frame in
        var arguments: [Value] = []
        arguments.reserveCapacity(values.count)
        for code in values {
          let value = code(&frame)
          if value.isError { return value }
          arguments.append(value)
        }
        for (candidate, implementation) in zip(candidates, specialized)
        where candidate.accepts(arguments) {
          guard frame.budget.charge(Self.cost(candidate.overload.cost, arguments)) else {
            return .error(Budget.exceeded)
          }
          return implementation(arguments, &frame.budget)
        }
        return Self.noOverload(function, arguments)
      }
    }
    return constants.allSatisfy { $0 != nil } ? Self.folded(code) : Code(code)
  }

  private func unary(
    _ function: String, _ bodies: [(Candidate, @Sendable (Value) -> Value)],
    _ argument: @escaping ValueCode
  ) -> ValueCode {
    let bodies = bodies.map { (filter: $0.filters[0], cost: $0.overload.cost, body: $1) }
    return { frame in
      let value = argument(&frame)
      if value.isError { return value }
      for (filter, cost, body) in bodies where filter.accepts(value) {
        guard frame.budget.charge(Self.cost(cost, value)) else { return .error(Budget.exceeded) }
        return body(value)
      }
      return Self.noOverload(function, [value])
    }
  }

  private func binary(
    _ function: String, _ bodies: [(Candidate, @Sendable (Value, Value) -> Value)],
    _ first: @escaping ValueCode, _ second: @escaping ValueCode
  ) -> ValueCode {
    let bodies = bodies.map {
      (first: $0.filters[0], second: $0.filters[1], cost: $0.overload.cost, body: $1)
    }
    return { frame in
      let left = first(&frame)
      if left.isError { return left }
      let right = second(&frame)
      if right.isError { return right }
      for (first, second, cost, body) in bodies where first.accepts(left) && second.accepts(right) {
        guard frame.budget.charge(Self.cost(cost, left, right)) else {
          return .error(Budget.exceeded)
        }
        return body(left, right)
      }
      return Self.noOverload(function, [left, right])
    }
  }

  /// Calls the first of the overloads that takes these two values; `nil` where none does.
  static func dispatch(
    _ candidates: [Candidate], _ left: Value, _ right: Value, _ frame: inout Frame
  ) -> Value? {
    if left.isError { return left }
    if right.isError { return right }
    for candidate in candidates
    where candidate.filters[0].accepts(left) && candidate.filters[1].accepts(right) {
      guard frame.budget.charge(cost(candidate.overload.cost, left, right)) else {
        return .error(Budget.exceeded)
      }
      guard case .binary(let body) = candidate.overload.implementation else {
        return candidate.overload.implementation([left, right], &frame.budget)
      }
      return body(left, right)
    }
    return nil
  }

  /// The error of a call for which no overload is made.
  static func noOverload(_ function: String, _ arguments: [Value]) -> Value {
    if let failed = arguments.first(where: \.isError) { return failed }
    let types = arguments.map(\.type.runtimeName)
    if let (symbol, _) = Operator.binary[function], types.count == 2 {
      return .error(.noSuchOverload, "no such overload: \(types[0]) \(symbol) \(types[1])")
    }
    if function == Operator.negate, types.count == 1 {
      return .error(.noSuchOverload, "no such overload: -\(types[0])")
    }
    return .error(
      .noSuchOverload, "no such overload: \(function)(\(types.joined(separator: ", ")))")
  }

  @inline(__always)
  private static func cost(_ cost: Overload.Cost, _ value: Value) -> Int {
    if case .constant = cost { 1 } else { 1 + Cost.size(value) }
  }

  @inline(__always)
  private static func cost(_ cost: Overload.Cost, _ first: Value, _ second: Value) -> Int {
    if case .constant = cost { 1 } else { 1 + Cost.size(first) + Cost.size(second) }
  }

  private static func cost(_ cost: Overload.Cost, _ arguments: [Value]) -> Int {
    if case .constant = cost { 1 } else { arguments.reduce(1) { $0 + Cost.size($1) } }
  }
}
