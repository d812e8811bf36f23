/// A type of the Common Expression Language.
///
/// Two types are equal where they are written alike; what may be passed for what is the checker's
/// business.
public indirect enum CELType: Hashable, Sendable {
  /// Any value: operations on it choose their overload at run time.
  case dyn
  case null
  case bool
  case int
  case uint
  case double
  case string
  case bytes
  case timestamp
  case duration
  /// Exact decimal numbers, of the decimal library.
  case decimal
  case list(CELType)
  case map(CELType, CELType)
  /// The type of types.
  case type(CELType)
  /// An abstract type of a library: a name and its parameters, such as `net.IP`, `optional_type(int)`.
  case opaque(String, [CELType])
  /// A record whose fields the environment declares, see ``ObjectType``.
  case object(String)
  /// In the signature of an overload, any type, the same wherever the name recurs.
  case parameter(String)
  /// While types are inferred, a type that is not known yet; no finished expression has it.
  case variable(Int)
  /// The type of an expression that has an error.
  case error

  /// `optional_type(T)`.
  public static func optional(_ wrapped: CELType) -> CELType {
    .opaque(Self.optionalName, [wrapped])
  }
  public static let optionalName = "optional_type"

  /// The name that `type(value)` prints and that compares types at run time: without parameters.
  public var runtimeName: String {
    switch self {
    case .dyn: "dyn"
    case .null: "null_type"
    case .bool: "bool"
    case .int: "int"
    case .uint: "uint"
    case .double: "double"
    case .string: "string"
    case .bytes: "bytes"
    case .timestamp: "google.protobuf.Timestamp"
    case .duration: "google.protobuf.Duration"
    case .decimal: "decimal"
    case .list: "list"
    case .map: "map"
    case .type: "type"
    case .opaque(let name, _): name
    case .object(let name): name
    case .parameter(let name): name
    case .variable: "dyn"
    case .error: "error"
    }
  }
}

extension CELType: CustomStringConvertible {
  /// As in error messages: `map(string, list(int))`.
  public var description: String {
    switch self {
    case .timestamp: return "timestamp"
    case .duration: return "duration"
    case .list(let element): return "list(\(element))"
    case .map(let key, let value): return "map(\(key), \(value))"
    case .type(.dyn): return "type"
    case .type(let type): return "type(\(type))"
    case .opaque(let name, let parameters) where !parameters.isEmpty:
      return "\(name)(\(parameters.map(\.description).joined(separator: ", ")))"
    default: return runtimeName
    }
  }
}
