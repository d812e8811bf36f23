extension Library {
  /// What the specification asks of every CEL, except `matches`, which needs ``Library/regex(_:)``; time
  /// zones are fixed offsets.
  public static let standard = standard(timeZones: FixedTimeZones())

  /// The standard library with time zones by name, such as `Europe/Berlin`.
  public static func standard(timeZones: some TimeZones) -> Library {
    Library(
      "standard",
      functions: Operators.functions + Conversions.functions + StandardTexts.functions
        + TimeFunctions.functions(timeZones) + OptionalFunctions.functions,
      macros: StandardMacros.all + OptionalMacros.all,
      constants: types.map { Constant($0.name, .type($0.type), .type($0.type)) })
  }

  private static let types: [(name: String, type: CELType)] = [
    .bool, .int, .uint, .double, .string, .bytes, .null, .timestamp, .duration,
    .list(.dyn), .map(.dyn, .dyn), .type(.dyn), .optional(.dyn),
  ].map { (name: $0.runtimeName, type: $0) }
}
