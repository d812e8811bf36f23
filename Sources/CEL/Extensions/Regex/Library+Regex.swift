extension Library {
  /// The standard function `matches`, by `engine`: whether a pattern is found anywhere in a text
  /// (cel-spec, langdef.md, "Regular Expressions").
  ///
  /// A pattern that is constant in an expression is compiled once a program, else once a call. Both
  /// compiling and matching cost what the size of the compiled pattern says, as `(a{0,300}){0,3}` is short
  /// and yet a large program.
  public static func regex(_ engine: any RegexEngine) -> Library {
    let matches = Native.charging { (text: String, pattern: String, budget: inout Budget) in
      do throws(EvaluationError) {
        let compiled = try engine.compile(pattern)
        guard budget.charge(compiled.size * RegexCost.compilingStep) else {
          return .error(Budget.exceeded)
        }
        return RegexCost.isFound(compiled, in: text, &budget)
      } catch {
        return .error(error)
      }
    }
    return Library(
      "regex",
      functions: [
        Function(
          "matches",
          [false, true].map { isMember in
            Overload(
              isMember: isMember, parameters: [.string, .string], result: .bool,
              implementation: matches,
              specialize: { constants in
                guard constants.count == 2, case .string(let pattern)? = constants[1] else {
                  return nil
                }
                return constant(pattern, engine)
              })
          })
      ])
  }

  private static func constant(_ pattern: String, _ engine: any RegexEngine) -> Implementation {
    do throws(EvaluationError) {
      let compiled = try engine.compile(pattern)
      guard compiled.size > RegexCost.sizePerUnit else {
        return .binary(
          Native.body { (text: String, _: Value) in .bool(compiled.isFound(in: text)) })
      }
      return Native.charging { (text: String, _: Value, budget: inout Budget) in
        RegexCost.isFound(compiled, in: text, &budget)
      }
    } catch {
      return .binary { _, _ in .error(error) }
    }
  }
}

/// What regular expressions cost beside their arguments' sizes.
private enum RegexCost {
  /// A step of a pattern takes about 0.2 µs to compile, eight times what one unit takes elsewhere.
  static let compilingStep = 8
  /// Steps times bytes of text that cost one. The worst that RE2 does for a byte is to visit each step;
  /// nearly always it visits one state.
  static let sizePerUnit = 64

  static func isFound(_ pattern: any CompiledRegex, in text: String, _ budget: inout Budget)
    -> Value
  {
    let (product, overflow) = text.utf8.count.multipliedReportingOverflow(by: pattern.size)
    guard !overflow, budget.charge(product / sizePerUnit) else { return .error(Budget.exceeded) }
    return .bool(pattern.isFound(in: text))
  }
}
