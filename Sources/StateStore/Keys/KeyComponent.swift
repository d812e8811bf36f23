public import StreamCore

/// One component of a key whose type is known at run time only: of a topology from a file, or of
/// a key that is read without the program that wrote it.
public enum KeyComponent: Sendable {
  /// Before every other value.
  case null
  case boolean(Bool)
  case integer(Int64)
  case decimal(Decimal)
  case timestamp(Timestamp)
  case instant(Instant)
  case string(String)

  /// Appends the order-preserving form.
  public func encode(into bytes: inout [UInt8]) {
    switch self {
    case .null: bytes.append(KeyTag.null)
    case .boolean(let value): KeyEncoding.append(boolean: value, to: &bytes)
    case .integer(let value): KeyEncoding.append(integer: value, to: &bytes)
    case .decimal(let value): KeyEncoding.append(decimal: value, to: &bytes)
    case .timestamp(let value): KeyEncoding.append(timestamp: value, to: &bytes)
    case .instant(let value): KeyEncoding.append(instant: value, to: &bytes)
    case .string(let value): KeyEncoding.append(string: value, to: &bytes)
    }
  }

  /// Its type; `nil` for null.
  public var type: KeyType? {
    switch self {
    case .null: nil
    case .boolean: .boolean
    case .integer: .integer
    case .decimal: .decimal
    case .timestamp: .timestamp
    case .instant: .instant
    case .string: .string
    }
  }
}

extension KeyComponent: Hashable {
  /// By the encoded form: equal keys are equal bytes.
  public static func == (left: KeyComponent, right: KeyComponent) -> Bool {
    left.encoded == right.encoded
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(encoded) }

  var encoded: [UInt8] {
    var bytes: [UInt8] = []
    encode(into: &bytes)
    return bytes
  }
}
