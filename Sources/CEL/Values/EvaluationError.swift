/// Why an expression has no value: `code` is for the program, the message for its reader.
public struct EvaluationError: Error, Sendable, CustomStringConvertible {
  /// A struct, not an enum: a code added later breaks no caller's `switch`.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Wrapped: String {
      case noSuchOverload, noSuchField, noSuchKey, undeclaredReference, divisionByZero
      case overflow, outOfRange, invalidArgument, duplicateKey, costLimitExceeded, host
    }
    private let wrapped: Wrapped
    /// No overload of the function takes arguments of these types.
    public static let noSuchOverload = Code(wrapped: .noSuchOverload)
    /// A record lacks the field that is selected.
    public static let noSuchField = Code(wrapped: .noSuchField)
    /// A map lacks the key that is looked up.
    public static let noSuchKey = Code(wrapped: .noSuchKey)
    /// A name or function that an unchecked expression uses is not declared.
    public static let undeclaredReference = Code(wrapped: .undeclaredReference)
    /// An integer or decimal is divided by zero.
    public static let divisionByZero = Code(wrapped: .divisionByZero)
    /// A result does not fit its type.
    public static let overflow = Code(wrapped: .overflow)
    /// An index, a time or a conversion lies outside its range.
    public static let outOfRange = Code(wrapped: .outOfRange)
    /// An argument that a function cannot read, such as a malformed number in a text.
    public static let invalidArgument = Code(wrapped: .invalidArgument)
    /// A map is built with one key twice.
    public static let duplicateKey = Code(wrapped: .duplicateKey)
    /// Evaluation was stopped, as it cost more than it was allowed.
    public static let costLimitExceeded = Code(wrapped: .costLimitExceeded)
    /// The host failed to give a value.
    public static let host = Code(wrapped: .host)

    public var description: String { wrapped.rawValue }
  }

  /// A class, so that a ``Value`` that may hold an error stays small.
  private final class Storage: Sendable {
    let code: Code
    let message: String
    init(_ code: Code, _ message: String) {
      self.code = code
      self.message = message
    }
  }
  private let storage: Storage

  public init(_ code: Code, _ message: String) { storage = Storage(code, message) }

  public var code: Code { storage.code }
  /// One sentence without positions.
  public var message: String { storage.message }
  public var description: String { message }
}

extension EvaluationError: Hashable {
  public static func == (left: EvaluationError, right: EvaluationError) -> Bool {
    left.storage === right.storage || (left.code == right.code && left.message == right.message)
  }
  public func hash(into hasher: inout Hasher) {
    hasher.combine(code)
    hasher.combine(message)
  }
}
