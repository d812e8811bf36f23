/// Regular expressions for `matches` and its like. Plain CEL has none; target `CELRE2` gives RE2, which the
/// specification asks for.
public protocol RegexEngine: Sendable {
  /// Compiles a pattern.
  ///
  /// - Throws: ``EvaluationError`` with `invalidArgument` and what is wrong with the pattern.
  func compile(_ pattern: String) throws(EvaluationError) -> any CompiledRegex
}

/// A compiled regular expression; matching takes time linear in the text.
public protocol CompiledRegex: AnyObject, Sendable {
  /// Steps of the compiled program, which bound what compiling took and what a byte of text may take.
  var size: Int { get }

  /// Whether the pattern is found anywhere in `text`.
  func isFound(in text: String) -> Bool
}
