/// Which orders of two values a comparison holds for.
protocol ComparisonRule: SendableMetatype {
  static var symbol: String { get }
  static func holds<T: Comparable>(_ left: T, _ right: T) -> Bool
  static func holds(_ order: ValueOrder) -> Bool
}

private enum Less: ComparisonRule {
  static let symbol = "<"
  @inline(__always)
  static func holds<T: Comparable>(_ left: T, _ right: T) -> Bool { left < right }
  static func holds(_ order: ValueOrder) -> Bool { order == .less }
}

private enum LessOrEqual: ComparisonRule {
  static let symbol = "<="
  @inline(__always)
  static func holds<T: Comparable>(_ left: T, _ right: T) -> Bool { left <= right }
  static func holds(_ order: ValueOrder) -> Bool { order == .less || order == .equal }
}

private enum Greater: ComparisonRule {
  static let symbol = ">"
  @inline(__always)
  static func holds<T: Comparable>(_ left: T, _ right: T) -> Bool { left > right }
  static func holds(_ order: ValueOrder) -> Bool { order == .greater }
}

private enum GreaterOrEqual: ComparisonRule {
  static let symbol = ">="
  @inline(__always)
  static func holds<T: Comparable>(_ left: T, _ right: T) -> Bool { left >= right }
  static func holds(_ order: ValueOrder) -> Bool { order == .greater || order == .equal }
}

extension Compiler {
  @inline(never)
  mutating func comparison(_ function: String, _ candidates: [Candidate], _ arguments: [Expression])
    -> Code
  {
    let left = compile(arguments[0])
    let right = compile(arguments[1])
    return switch function {
    case Operator.less: Self.compare(Less.self, candidates, left, right)
    case Operator.lessOrEqual: Self.compare(LessOrEqual.self, candidates, left, right)
    case Operator.greater: Self.compare(Greater.self, candidates, left, right)
    default: Self.compare(GreaterOrEqual.self, candidates, left, right)
    }
  }

  private static func compare<Rule: ComparisonRule>(
    _: Rule.Type, _ candidates: [Candidate], _ left: Code, _ right: Code
  ) -> Code {
    let others = candidates.filter { !$0.overload.isBuiltIn }
    let leftValue = left.value
    let general: @Sendable (Value, Value, inout Frame) -> Truth = { left, right, frame in
      slow(Rule.self, others, left, right, &frame)
    }
    if case .double(let number)? = right.constant {
      if let slot = left.slot {
        let missing = left.missing
        return Code(truth: { frame in
          let value = frame.bindings.value(at: slot) ?? missing
          if case .double(let left) = value { return Truth(Rule.holds(left, number)) }
          return general(value, .double(number), &frame)
        })
      }
      return Code(truth: { frame in
        let value = leftValue(&frame)
        if case .double(let left) = value { return Truth(Rule.holds(left, number)) }
        return general(value, .double(number), &frame)
      })
    }
    if case .int(let number)? = right.constant {
      return Code(truth: { frame in
        let value = leftValue(&frame)
        if case .int(let left) = value { return Truth(Rule.holds(left, number)) }
        return general(value, .int(number), &frame)
      })
    }
    let rightValue = right.value
    return Code(truth: { frame in
      let left = leftValue(&frame)
      let right = rightValue(&frame)
      switch (left, right) {
      case (.double(let left), .double(let right)): return Truth(Rule.holds(left, right))
      case (.int(let left), .int(let right)): return Truth(Rule.holds(left, right))
      default: return general(left, right, &frame)
      }
    })
  }

  private static func slow<Rule: ComparisonRule>(
    _: Rule.Type, _ others: [Candidate], _ left: Value, _ right: Value, _ frame: inout Frame
  ) -> Truth {
    if let order = Value.order(left, right) { return Truth(Rule.holds(order)) }
    let result =
      dispatch(others, left, right, &frame) ?? noOverload("_\(Rule.symbol)_", [left, right])
    return frame.truth(result)
  }

  @inline(never)
  mutating func equality(_ candidates: [Candidate], _ arguments: [Expression], isEqual: Bool)
    -> Code
  {
    let left = compile(arguments[0])
    let right = compile(arguments[1])
    let (leftValue, rightValue) = (left.value, right.value)
    if case .string(let text)? = right.constant, let constant = ConstantText(text) {
      if let slot = left.slot {
        let missing = left.missing
        return Code(truth: { frame in
          let value = frame.bindings.value(at: slot) ?? missing
          if case .string(let left) = value { return Truth(constant.isSame(as: left) == isEqual) }
          if case .error(let error) = value { return frame.fail(error) }
          return Truth(!isEqual)
        })
      }
      return Code(truth: { frame in
        let value = leftValue(&frame)
        if case .string(let left) = value { return Truth(constant.isSame(as: left) == isEqual) }
        if case .error(let error) = value { return frame.fail(error) }
        return Truth(!isEqual)
      })
    }
    return Code(truth: { frame in
      let left = leftValue(&frame)
      if case .error(let error) = left { return frame.fail(error) }
      let right = rightValue(&frame)
      if case .error(let error) = right { return frame.fail(error) }
      let same = left.isEqual(to: right, &frame.budget)
      guard frame.budget.remaining >= 0 else { return frame.fail(Budget.exceeded) }
      return Truth(same == isEqual)
    })
  }
}
