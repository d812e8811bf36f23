/// The macros of the specification (langdef.md, "Macros").
enum StandardMacros {
  static let all: [Macro] = [
    Macro("has", isMember: false, arguments: 1, expand: has),
    Macro("all", isMember: true, arguments: 2, expand: all),
    Macro("exists", isMember: true, arguments: 2, expand: exists),
    Macro("exists_one", isMember: true, arguments: 2, expand: existsOne),
    Macro("existsOne", isMember: true, arguments: 2, expand: existsOne),
    Macro("map", isMember: true, arguments: 2, expand: map),
    Macro("map", isMember: true, arguments: 3, expand: map),
    Macro("filter", isMember: true, arguments: 2, expand: filter),
  ]

  @Sendable private static func has(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    guard case .select(let operand, let field, .value) = arguments[0].kind else {
      throw MacroError("has() needs the selection of a field, such as has(a.b)", at: arguments[0])
    }
    return builder.select(operand, field, mode: .presence)
  }

  @Sendable private static func all(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    let condition = builder.call(Operator.notStrictlyFalse, builder.accumulated())
    let step = builder.call(Operator.and, builder.accumulated(), arguments[1])
    return try fold(
      target, arguments, &builder, initial: builder.literal(true), condition: condition, step: step)
  }

  @Sendable private static func exists(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    let none = builder.call(Operator.not, builder.accumulated())
    let condition = builder.call(Operator.notStrictlyFalse, none)
    let step = builder.call(Operator.or, builder.accumulated(), arguments[1])
    return try fold(
      target, arguments, &builder, initial: builder.literal(false), condition: condition,
      step: step)
  }

  @Sendable private static func existsOne(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    let more = builder.call(Operator.add, builder.accumulated(), builder.literal(1))
    let step = builder.call(Operator.conditional, arguments[1], more, builder.accumulated())
    let result = builder.call(Operator.equal, builder.accumulated(), builder.literal(1))
    return try fold(
      target, arguments, &builder, initial: builder.literal(0), step: step, result: result)
  }

  @Sendable private static func map(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    var step = builder.call(
      Operator.append, builder.accumulated(), arguments[arguments.count - 1])
    if arguments.count == 3 {
      step = builder.call(Operator.conditional, arguments[1], step, builder.accumulated())
    }
    return try fold(target, arguments, &builder, initial: builder.list([]), step: step)
  }

  @Sendable private static func filter(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    let kept = builder.call(Operator.append, builder.accumulated(), arguments[0])
    let step = builder.call(Operator.conditional, arguments[1], kept, builder.accumulated())
    return try fold(target, arguments, &builder, initial: builder.list([]), step: step)
  }

  private static func fold(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder,
    initial: Expression, condition: Expression? = nil, step: Expression, result: Expression? = nil
  ) throws(MacroError) -> Expression? {
    guard let target else { return nil }
    let variable = try builder.variable(arguments[0])
    return builder.fold(
      Comprehension(
        range: target, variable: variable, accumulator: MacroBuilder.accumulator,
        initial: initial, condition: condition ?? builder.literal(true), step: step,
        result: result ?? builder.accumulated()))
  }
}

extension MacroBuilder {
  fileprivate mutating func accumulated() -> Expression { identifier(Self.accumulator) }
}
