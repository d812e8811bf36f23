/// An address and how many of its bits name the network: `192.168.0.0/24`.
struct IPPrefix: Hashable, Sendable {
  let address: IPAddress
  let length: Int

  /// - Throws: ``IPAddress/Failure``.
  init(parsing text: String) throws(IPAddress.Failure) {
    guard let slash = text.lastIndex(of: "/") else { throw .malformed }
    let digits = text[text.index(after: slash)...]
    address = try IPAddress(parsing: text[..<slash])
    guard (1...3).contains(digits.utf8.count),
      digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      digits.utf8.count == 1 || digits.first != "0", let length = Int(digits),
      length <= address.width
    else { throw .malformed }
    self.length = length
  }

  private init(address: IPAddress, length: Int) {
    self.address = address
    self.length = length
  }

  private func network(of address: IPAddress) -> UInt128 {
    let shift = UInt128(address.width - length)
    return (address.bits >> shift) << shift
  }

  /// The same network with the bits of the host cleared.
  var masked: IPPrefix {
    IPPrefix(
      address: IPAddress(bits: network(of: address), isIPv4: address.isIPv4), length: length)
  }

  /// Whether no bit of the host is set.
  var isMask: Bool { masked == self }

  func contains(_ other: IPAddress) -> Bool {
    other.isIPv4 == address.isIPv4 && network(of: other) == network(of: address)
  }

  func contains(_ other: IPPrefix) -> Bool {
    length <= other.length && contains(other.address)
  }
}

extension IPPrefix: CustomStringConvertible {
  var description: String { "\(address)/\(length)" }
}
