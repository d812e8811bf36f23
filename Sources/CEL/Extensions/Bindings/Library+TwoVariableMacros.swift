extension Library {
  /// Macros that see index and element of a list, or key and value of a map
  /// (cel-go, ext/README.md, "TwoVarComprehensions").
  public static let twoVariableMacros = Library(
    "twoVariableMacros",
    macros: [
      Macro("all", isMember: true, arguments: 3) { target, arguments, builder throws(MacroError) in
        let predicate = arguments[2]
        return try builder.fold(
          target, arguments, initial: builder.literal(true),
          condition: { $0.call(Operator.notStrictlyFalse, $0.accumulated) },
          step: { $0.call(Operator.and, $0.accumulated, predicate) })
      },
      Macro("exists", isMember: true, arguments: 3) {
        target, arguments, builder throws(MacroError) in
        let predicate = arguments[2]
        return try builder.fold(
          target, arguments, initial: builder.literal(false),
          condition: {
            $0.call(Operator.notStrictlyFalse, $0.call(Operator.not, $0.accumulated))
          },
          step: { $0.call(Operator.or, $0.accumulated, predicate) })
      },
      Macro("existsOne", isMember: true, arguments: 3, expand: existsOne),
      Macro("exists_one", isMember: true, arguments: 3, expand: existsOne),
      Macro("transformList", isMember: true, arguments: 3, expand: transformList),
      Macro("transformList", isMember: true, arguments: 4, expand: transformList),
      Macro("transformMap", isMember: true, arguments: 3, expand: transformMap),
      Macro("transformMap", isMember: true, arguments: 4, expand: transformMap),
      Macro("transformMapEntry", isMember: true, arguments: 3, expand: transformMapEntry),
      Macro("transformMapEntry", isMember: true, arguments: 4, expand: transformMapEntry),
    ])

  @Sendable private static func existsOne(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    let predicate = arguments[2]
    return try builder.fold(
      target, arguments, initial: builder.literal(0),
      step: {
        $0.call(
          Operator.conditional, predicate, $0.call(Operator.add, $0.accumulated, $0.literal(1)),
          $0.accumulated)
      },
      result: { $0.call(Operator.equal, $0.accumulated, $0.literal(1)) })
  }

  @Sendable private static func transformList(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    let (filter, transform) = filterAndTransform(arguments)
    return try builder.fold(
      target, arguments, initial: builder.list([]),
      step: { $0.filtered(by: filter, $0.call(Operator.append, $0.accumulated, transform)) })
  }

  @Sendable private static func transformMap(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    let (filter, transform) = filterAndTransform(arguments)
    let key = try builder.variable(arguments[0])
    return try builder.fold(
      target, arguments, initial: builder.map([]),
      step: {
        $0.filtered(
          by: filter,
          $0.call(Operator.insert, $0.accumulated, $0.identifier(key), transform))
      })
  }

  @Sendable private static func transformMapEntry(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    let (filter, transform) = filterAndTransform(arguments)
    return try builder.fold(
      target, arguments, initial: builder.map([]),
      step: { $0.filtered(by: filter, $0.call(Operator.insert, $0.accumulated, transform)) })
  }

  private static func filterAndTransform(
    _ arguments: [Expression]
  ) -> (filter: Expression?, transform: Expression) {
    arguments.count == 4 ? (arguments[2], arguments[3]) : (nil, arguments[2])
  }
}

extension MacroBuilder {
  fileprivate var accumulated: Expression {
    mutating get { identifier(Self.accumulator) }
  }

  fileprivate mutating func filtered(by filter: Expression?, _ step: Expression) -> Expression {
    guard let filter else { return step }
    return call(Operator.conditional, filter, step, accumulated)
  }

  /// A fold over `target` with the variables that the first two arguments name.
  fileprivate mutating func fold(
    _ target: Expression?, _ arguments: [Expression], initial: Expression,
    condition: (inout MacroBuilder) -> Expression = { $0.literal(true) },
    step: (inout MacroBuilder) -> Expression,
    result: (inout MacroBuilder) -> Expression = { $0.accumulated }
  ) throws(MacroError) -> Expression? {
    guard let target else { return nil }
    let first = try variable(arguments[0])
    let second = try variable(arguments[1])
    guard first != second else {
      throw MacroError("the two variables must have different names", at: arguments[1])
    }
    return fold(
      Comprehension(
        range: target, variable: first, secondVariable: second, accumulator: Self.accumulator,
        initial: initial, condition: condition(&self), step: step(&self), result: result(&self)))
  }
}
