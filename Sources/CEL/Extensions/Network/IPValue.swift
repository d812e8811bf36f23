/// An IP address as a value.
final class IPValue: ObjectValue {
  static let type = CELType.opaque("net.IP", [])
  let address: IPAddress

  init(_ address: IPAddress) { self.address = address }

  var type: CELType { Self.type }
  func isEqual(to other: any ObjectValue) -> Bool { (other as? IPValue)?.address == address }
  var description: String { "ip('\(address)')" }
}

/// A network as a value.
final class CIDRValue: ObjectValue {
  static let type = CELType.opaque("net.CIDR", [])
  let prefix: IPPrefix

  init(_ prefix: IPPrefix) { self.prefix = prefix }

  var type: CELType { Self.type }
  func isEqual(to other: any ObjectValue) -> Bool { (other as? CIDRValue)?.prefix == prefix }
  var description: String { "cidr('\(prefix)')" }
}

extension Value {
  static func ip(_ address: IPAddress) -> Value { .object(IPValue(address)) }
  static func cidr(_ prefix: IPPrefix) -> Value { .object(CIDRValue(prefix)) }
}

extension IPAddress: NativeArgument {
  init?(argument: Value) {
    guard case .object(let object) = argument, let value = object as? IPValue else { return nil }
    self = value.address
  }
}

extension IPPrefix: NativeArgument {
  init?(argument: Value) {
    guard case .object(let object) = argument, let value = object as? CIDRValue else { return nil }
    self = value.prefix
  }
}
