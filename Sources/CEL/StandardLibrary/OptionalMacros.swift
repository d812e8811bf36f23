/// `optional.optMap(x, f(x))` and `optional.optFlatMap(x, g(x))`, whose target is evaluated once.
enum OptionalMacros {
  static let all: [Macro] = [
    Macro("optMap", isMember: true, arguments: 2) { target, arguments, builder throws(MacroError) in
      try expand(target, arguments, &builder) { builder, body in
        builder.call("optional.of", body)
      }
    },
    Macro("optFlatMap", isMember: true, arguments: 2) {
      target, arguments, builder throws(MacroError) in
      try expand(target, arguments, &builder) { _, body in body }
    },
  ]

  private static let target = "@target"

  private static func expand(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder,
    _ wrap: (inout MacroBuilder, Expression) -> Expression
  ) throws(MacroError) -> Expression? {
    guard let target else { return nil }
    let variable = try builder.variable(arguments[0])
    let value = builder.memberCall("value", on: builder.identifier(Self.target))
    let body = builder.bind(variable, to: value, in: arguments[1])
    let some = wrap(&builder, body)
    let hasValue = builder.memberCall("hasValue", on: builder.identifier(Self.target))
    let none = builder.call("optional.none")
    return builder.bind(
      Self.target, to: target,
      in: builder.call(Operator.conditional, hasValue, some, none))
  }
}
