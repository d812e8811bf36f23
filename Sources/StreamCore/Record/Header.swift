/// One header of a record: a name, not necessarily unique, and bytes or null.
public struct Header: Hashable, Sendable {
  public var name: String
  public var value: [UInt8]?

  public init(_ name: String, _ value: [UInt8]?) {
    self.name = name
    self.value = value
  }

  /// A header of UTF-8 text.
  public init(_ name: String, _ text: String) {
    self.init(name, Array(text.utf8))
  }
}
