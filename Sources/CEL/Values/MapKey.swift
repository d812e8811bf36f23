import StreamCore

/// A map's key, comparable across number types: `1`, `1u` and `1.0` find the same entry.
public enum MapKey: Hashable, Sendable {
  case bool(Bool)
  case int(Int64)
  /// A number beyond what ``int(_:)`` holds.
  case large(UInt64)
  case string(Text)

  /// A string with equality and hash by its bytes: Swift's own compare after normalization.
  public struct Text: Hashable, Sendable {
    public let string: String
    public init(_ string: String) { self.string = string }
    public static func == (left: Text, right: Text) -> Bool { left.string.isSame(as: right.string) }
    public func hash(into hasher: inout Hasher) {
      let done: Void? = string.utf8.withContiguousStorageIfAvailable {
        unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0))
      }
      if done == nil { for byte in string.utf8 { hasher.combine(byte) } }
    }
  }

  /// Whether equality with this value is equality of keys: not for numbers from 2^53 on, where several
  /// integers equal one double.
  var isExact: Bool {
    switch self {
    case .int(let value): value.magnitude < 1 << 53
    case .large: false
    case .bool, .string: true
    }
  }

  /// The key that `value` is, or `nil` where no map has such a key.
  ///
  /// A double that is a whole number finds integer keys; no map is built with one.
  public init?(_ value: Value) {
    switch value {
    case .bool(let value): self = .bool(value)
    case .int(let value): self = .int(value)
    case .uint(let value): self = Int64(exactly: value).map(MapKey.int) ?? .large(value)
    case .double(let value):
      if let value = Int64(exactly: value) {
        self = .int(value)
      } else if let value = UInt64(exactly: value) {
        self = .large(value)
      } else {
        return nil
      }
    case .string(let value): self = .string(Text(value))
    case .decimal(let value):
      guard let value = value.decimal.int64 else { return nil }
      self = .int(value)
    default: return nil
    }
  }
}
