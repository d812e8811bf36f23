extension Library {
  /// `cel.bind(name, value, expression)`: a name for a value within an expression, which is evaluated
  /// once (cel-go, ext/README.md, "Bindings").
  public static let bindings = Library(
    "bindings",
    macros: [
      Macro("bind", isMember: true, arguments: 3) { target, arguments, builder throws(MacroError) in
        guard builder.isName(target, "cel") else { return nil }
        let variable = try builder.variable(arguments[0])
        return builder.bind(variable, to: arguments[1], in: arguments[2])
      }
    ])
}

extension MacroBuilder {
  /// `expression` with `name` standing for the value of `value`: a fold of no steps.
  public mutating func bind(
    _ name: String, to value: Expression, in expression: Expression
  ) -> Expression {
    fold(
      Comprehension(
        range: list([]), variable: "#unused", accumulator: name, initial: value,
        condition: literal(false), step: identifier(name), result: expression))
  }
}
