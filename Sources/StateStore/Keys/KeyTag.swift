/// The first byte of a component of a key. Keys compare as their bytes do; a tag a component makes
/// them self-describing, and none is 00 or FF, so that no component is a prefix of another and an
/// inverted one (descending) is told by its high bit.
enum KeyTag {
  static let null: UInt8 = 0x02
  static let boolean: UInt8 = 0x08
  static let integer: UInt8 = 0x10
  static let decimal: UInt8 = 0x18
  static let timestamp: UInt8 = 0x20
  static let instant: UInt8 = 0x28
  static let string: UInt8 = 0x30
  static let uuid: UInt8 = 0x38
}

/// What a component of a key is, as the catalog of stores has it.
public enum KeyType: String, Sendable, Hashable, CaseIterable {
  case string, integer, decimal, timestamp, instant, boolean
}
