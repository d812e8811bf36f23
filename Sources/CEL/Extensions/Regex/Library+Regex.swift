extension Library {
  /// The standard function `matches`, by `engine`: whether a pattern is found anywhere in a text
  /// (cel-spec, langdef.md, "Regular Expressions").
  ///
  /// A pattern that is constant in an expression is compiled once a program, else once a call.
  public static func regex(_ engine: any RegexEngine) -> Library {
    let matches: @Sendable (Value, Value) -> Value = Native.body {
      (text: String, pattern: String) in
      do throws(EvaluationError) {
        return .bool(try engine.compile(pattern).isFound(in: text))
      } catch {
        return .error(error)
      }
    }
    let specialize: @Sendable ([Value?]) -> Implementation? = { constants in
      guard constants.count == 2, case .string(let pattern)? = constants[1] else { return nil }
      do throws(EvaluationError) {
        let compiled = try engine.compile(pattern)
        return .binary(
          Native.body { (text: String, _: Value) in .bool(compiled.isFound(in: text)) })
      } catch {
        return .binary { _, _ in .error(error) }
      }
    }
    return Library(
      "regex",
      functions: [
        Function(
          "matches",
          [false, true].map { isMember in
            Overload(
              isMember: isMember, parameters: [.string, .string], result: .bool, cost: .product,
              implementation: .binary(matches), specialize: specialize)
          })
      ])
  }
}
