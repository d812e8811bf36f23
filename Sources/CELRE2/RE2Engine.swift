public import CEL
import CRE2

/// Regular expressions by RE2 (github.com/google/re2/wiki/Syntax), linear in time.
public struct RE2Engine: RegexEngine {
  private let memoryMax: Int64

  /// - Parameter memoryMax: bytes that a compiled pattern and its matching may take at most.
  public init(memoryMax: Int = 8 << 20) {
    precondition(memoryMax > 0, "a pattern takes memory")
    self.memoryMax = Int64(memoryMax)
  }

  public func compile(_ pattern: String) throws(EvaluationError) -> any CompiledRegex {
    try RE2Pattern(pattern, memoryMax: memoryMax)
  }
}

extension Library {
  /// `matches` and the functions of `regex` by RE2.
  public static let re2 = Library.regex(RE2Engine())
}
