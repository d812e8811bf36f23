import CEL

/// The macros by which cel-spec's block_ext writes what an optimizer would make: values that are
/// evaluated once and stand under names (`cel.index(0)`), as nested bindings.
enum BlockMacros {
  static let library = Library(
    "block",
    macros: [
      Macro("block", isMember: true, arguments: 2) {
        target, arguments, builder throws(MacroError) in
        guard builder.isName(target, "cel") else { return nil }
        guard case .list(let elements) = arguments[0].kind else {
          throw MacroError("cel.block takes a list", at: arguments[0])
        }
        var result = arguments[1]
        for (index, element) in elements.enumerated().reversed() {
          result = builder.bind("@index\(index)", to: element.value, in: result)
        }
        return result
      },
      Macro("index", isMember: true, arguments: 1) {
        target, arguments, builder throws(MacroError) in
        try name("@index", target, arguments, &builder)
      },
      Macro("iterVar", isMember: true, arguments: 2) {
        target, arguments, builder throws(MacroError) in
        try name("@it", target, arguments, &builder)
      },
      Macro("accuVar", isMember: true, arguments: 2) {
        target, arguments, builder throws(MacroError) in
        try name("@ac", target, arguments, &builder)
      },
    ])

  /// A name that no expression can write, made of numbers.
  private static func name(
    _ prefix: String, _ target: Expression?, _ arguments: [Expression],
    _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    guard builder.isName(target, "cel") else { return nil }
    var name = prefix
    for argument in arguments {
      guard case .literal(.int(let number)) = argument.kind else {
        throw MacroError("a number is expected", at: argument)
      }
      name += arguments.count == 1 ? "\(number)" : ":\(number)"
    }
    return builder.identifier(name)
  }
}
