public import StreamCore

/// A value of the Common Expression Language, or the error that took its place.
///
/// Errors are values, as `&&`, `||` and `?:` decide which of them count
/// (cel-spec, langdef.md, "Logical Operators"). 24 bytes; scalars and short strings allocate nothing.
public enum Value: Sendable {
  case null
  case bool(Bool)
  case int(Int64)
  case uint(UInt64)
  case double(Double)
  /// Code points; two strings are equal where their code points are, without normalization.
  case string(String)
  case bytes([UInt8])
  case list(ListValue)
  case map(MapValue)
  /// Year 1 to 9999, checked by the functions that make one.
  case timestamp(Instant)
  /// Within what 64 bits of nanoseconds hold, checked by the functions that make one.
  case duration(Duration)
  case type(CELType)
  case optional(OptionalValue)
  /// Exact; only where the decimal library is in the environment.
  case decimal(DecimalValue)
  /// A value of a type that a library or the host declares.
  case object(any ObjectValue)
  case error(EvaluationError)
}

extension Value {
  /// Whether evaluation failed.
  @inlinable
  public var isError: Bool {
    if case .error = self { true } else { false }
  }

  /// The error, where evaluation failed.
  @inlinable
  public var error: EvaluationError? {
    if case .error(let error) = self { error } else { nil }
  }

  /// The value's type as ``CELType``; type parameters are ``CELType/dyn``, as values carry none.
  public var type: CELType {
    switch self {
    case .null: .null
    case .bool: .bool
    case .int: .int
    case .uint: .uint
    case .double: .double
    case .string: .string
    case .bytes: .bytes
    case .list: .list(.dyn)
    case .map: .map(.dyn, .dyn)
    case .timestamp: .timestamp
    case .duration: .duration
    case .type: .type(.dyn)
    case .optional: .optional(.dyn)
    case .decimal: .decimal
    case .object(let object): object.type
    case .error: .error
    }
  }

  /// A list of `values`.
  public static func list(_ values: [Value]) -> Value { .list(ListValue(values)) }

  /// An exact decimal number.
  public static func decimal(_ number: Decimal) -> Value { .decimal(DecimalValue(number)) }

  /// An error with the message that its reader sees.
  public static func error(_ code: EvaluationError.Code, _ message: String) -> Value {
    .error(EvaluationError(code, message))
  }
}

extension Value: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(integerLiteral value: Int64) { self = .int(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(arrayLiteral elements: Value...) { self = .list(ListValue(elements)) }
  /// - Precondition: keys are bool, int, uint or string, and none comes twice.
  public init(dictionaryLiteral elements: (Value, Value)...) {
    var map = MapBuilder()
    for (key, value) in elements {
      if let error = map.insert(value, forKey: key) { preconditionFailure(error.message) }
    }
    self = .map(map.finish())
  }
}

extension Value {
  /// What an implementation returns where an argument is not of its declared type, which the evaluator rules out.
  public static let mismatch = Value.error(.noSuchOverload, "an argument has the wrong type")
}
