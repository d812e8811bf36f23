extension Compiler {
  @inline(never)
  mutating func comprehension(_ fold: Comprehension) -> Code {
    let depth = scope.count
    let range = compile(fold.range).value
    let initial = compile(fold.initial).value
    if isBinding(fold) {
      let place = enter(fold.accumulator)
      let result = compile(fold.result)
      scope.removeSubrange(depth...)
      return bound(initial, place, result, isBool: isBool(fold.result))
    }
    let accumulator = enter(fold.accumulator)
    let first = enter(fold.variable)
    let second = fold.secondVariable.map { enter($0) }
    let collector = collector(fold)
    let condition = isTrue(fold.condition) ? nil : compile(fold.condition).truth
    let step = collector == nil ? compile(fold.step).value : nil
    scope.removeSubrange((depth + 1)...)
    let result = compile(fold.result)
    scope.removeSubrange(depth...)
    let loop = Loop(
      first: first, second: second, guarded: seesVariables(fold) ? nil : condition,
      cost: Cost.nodes(fold.condition) + Cost.nodes(fold.step))
    if let collector, condition == nil {
      return collecting(range, loop, accumulator, collector, result)
    }
    guard let step else { preconditionFailure("only a fold without a condition has a collector") }
    let inner = loop.guarded == nil ? condition : nil
    let run: @Sendable (inout Frame) -> Value? = { frame in
      // The range first: loops inside it use the same places.
      let range = range(&frame)
      let start = initial(&frame)
      frame.locals[accumulator] = start
      return loop.run(over: range, &frame) { frame in
        if let inner, inner(&frame) == .no { return false }
        frame.locals[accumulator] = step(&frame)
        return true
      }
    }
    if isBool(fold.result) {
      let truth = result.truth
      return Code(truth: { frame in
        if let error = run(&frame) { return frame.truth(error) }
        return truth(&frame)
      })
    }
    let value = result.value
    return Code { frame in run(&frame) ?? value(&frame) }
  }

  private func isBool(_ node: Expression) -> Bool { checked.type(of: node) == .bool }

  private func isTrue(_ node: Expression) -> Bool {
    if case .literal(.bool(true)) = node.kind { true } else { false }
  }

  /// Whether the condition needs an element, as those of the standard macros do not.
  private func seesVariables(_ fold: Comprehension) -> Bool {
    var found = false
    fold.condition.walk { node in
      if case .identifier(let name) = node.kind {
        found = found || name == fold.variable || name == fold.secondVariable
      }
      return !found
    }
    return found
  }

  /// Whether a fold goes over nothing, and so only names a value.
  private func isBinding(_ fold: Comprehension) -> Bool {
    if case .list(let elements) = fold.range.kind { elements.isEmpty } else { false }
  }

  private func bound(
    _ initial: @escaping ValueCode, _ place: Int, _ result: Code, isBool: Bool
  ) -> Code {
    if isBool {
      let truth = result.truth
      return Code(truth: { frame in
        let value = initial(&frame)
        frame.locals[place] = value
        return truth(&frame)
      })
    }
    let value = result.value
    return Code { frame in
      let bound = initial(&frame)
      frame.locals[place] = bound
      return value(&frame)
    }
  }

  // MARK: Lists and maps that grow in place

  /// A step that only adds to an empty list or map.
  struct Collector: Sendable {
    enum Addition: Sendable {
      case element(ValueCode)
      case entry(key: ValueCode, value: ValueCode)
      case entries(ValueCode)
    }
    /// Adds nothing where it does not hold.
    let filter: TruthCode?
    let addition: Addition
  }

  @inline(never)
  private mutating func collector(_ fold: Comprehension) -> Collector? {
    guard isTrue(fold.condition) else { return nil }
    var step = fold.step
    var filter: Expression?
    if case .call(Operator.conditional, nil, let arguments) = step.kind,
      isAccumulator(arguments[2], fold)
    {
      filter = arguments[0]
      step = arguments[1]
    }
    guard case .call(let function, nil, let arguments) = step.kind, arguments.count >= 2,
      isAccumulator(arguments[0], fold),
      !(arguments.dropFirst() + (filter.map { [$0] } ?? [])).contains(where: { uses(fold, $0) })
    else { return nil }
    let addition: Collector.Addition
    switch (function, fold.initial.kind, arguments.count) {
    case (Operator.append, .list(let elements), 2) where elements.isEmpty:
      addition = .element(compile(arguments[1]).value)
    case (Operator.insert, .map(let entries), 3) where entries.isEmpty:
      addition = .entry(key: compile(arguments[1]).value, value: compile(arguments[2]).value)
    case (Operator.insert, .map(let entries), 2) where entries.isEmpty:
      addition = .entries(compile(arguments[1]).value)
    default: return nil
    }
    return Collector(filter: filter.map { compile($0).truth }, addition: addition)
  }

  private func isAccumulator(_ node: Expression, _ fold: Comprehension) -> Bool {
    if case .identifier(fold.accumulator) = node.kind { true } else { false }
  }

  /// Whether a node uses the accumulator; also true for that of an inner fold of the same name.
  private func uses(_ fold: Comprehension, _ node: Expression) -> Bool {
    var found = false
    node.walk { node in
      switch node.kind {
      case .identifier(fold.accumulator): found = true
      // An inner fold's own accumulator hides this one, but its range and beginning see it.
      case .comprehension(let inner) where inner.accumulator == fold.accumulator:
        found = found || uses(fold, inner.range) || uses(fold, inner.initial)
        return false
      default: break
      }
      return !found
    }
    return found
  }

  private func collecting(
    _ range: @escaping ValueCode, _ loop: Loop, _ accumulator: Int, _ collector: Collector,
    _ result: Code
  ) -> Code {
    let filter = collector.filter
    let addition = collector.addition
    let isMap = if case .element = addition { false } else { true }
    let value = result.value
    return Code { frame in
      var elements: [Value] = []
      var map = MapBuilder()
      var failure: Value?
      let stopped = loop.run(over: range(&frame), &frame) { frame in
        switch filter?(&frame) {
        case .no?: return true
        case .failed?:
          failure = frame.value(.failed)
          return false
        default: break
        }
        switch addition {
        case .element(let code):
          let element = code(&frame)
          if element.isError { failure = element } else { elements.append(element) }
        case .entry(let key, let value):
          failure = Self.insert(key(&frame), value(&frame), &map)
        case .entries(let code): failure = Self.insert(code(&frame), &map)
        }
        return failure == nil
      }
      if let error = stopped ?? failure { return error }
      frame.locals[accumulator] = isMap ? .map(map.finish()) : .list(elements)
      return value(&frame)
    }
  }

  private static func insert(_ key: Value, _ value: Value, _ map: inout MapBuilder) -> Value? {
    if key.isError { return key }
    if value.isError { return value }
    return map.insert(value, forKey: key).map { .error($0) }
  }

  private static func insert(_ entries: Value, _ map: inout MapBuilder) -> Value? {
    guard case .map(let entries) = entries else {
      return entries.isError ? entries : noOverload(Operator.insert, [.map(.empty), entries])
    }
    for (key, value) in entries.entries {
      if let error = insert(key, value, &map) { return error }
    }
    return nil
  }
}

/// Goes over the elements of a list or the entries of a map.
struct Loop: Sendable {
  let first: Int
  let second: Int?
  /// Ends the loop before the next element is asked for.
  let guarded: TruthCode?
  /// What each round is charged.
  let cost: Int

  /// - Parameter body: returns whether to go on.
  /// - Returns: an error where there is nothing to go over, or the budget is spent.
  @inline(__always)
  func run(over range: Value, _ frame: inout Frame, _ body: (inout Frame) -> Bool) -> Value? {
    switch range {
    case .list(let list):
      for index in 0..<list.count {
        if let guarded, guarded(&frame) == .no { return nil }
        guard frame.budget.charge(cost) else { return .error(Budget.exceeded) }
        if let second {
          frame.locals[first] = .int(Int64(index))
          frame.locals[second] = list[index]
        } else {
          frame.locals[first] = list[index]
        }
        guard body(&frame) else { return nil }
      }
      return nil
    case .map(let map):
      for key in map.keys {
        if let guarded, guarded(&frame) == .no { return nil }
        guard frame.budget.charge(cost) else { return .error(Budget.exceeded) }
        frame.locals[first] = key
        if let second { frame.locals[second] = map[key] ?? Selection.missing(key.description) }
        guard body(&frame) else { return nil }
      }
      return nil
    case .error: return range
    default:
      return .error(.noSuchOverload, "a value of type \(range.type) has no elements")
    }
  }
}
