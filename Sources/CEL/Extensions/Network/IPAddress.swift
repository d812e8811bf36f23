/// An IPv4 or IPv6 address, without a zone.
///
/// An IPv4 address mapped into IPv6 (`::ffff:c0a8:1`) is the IPv4 address; written with dots it is
/// refused, as cel-spec's network_ext cases have it.
struct IPAddress: Hashable, Sendable {
  /// The bits, the highest first; of an IPv4 address the low 32.
  let bits: UInt128
  let isIPv4: Bool

  /// Why a text is no address.
  enum Failure: Error { case malformed, zone, mapped }

  init(bits: UInt128, isIPv4: Bool) {
    self.bits = bits
    self.isIPv4 = isIPv4
  }

  init(parsing text: some StringProtocol) throws(Failure) {
    let bytes = Array(text.utf8)
    guard bytes.contains(UInt8(ascii: ":")) else {
      guard let bits = Self.dotted(bytes[...]) else { throw .malformed }
      self.init(bits: UInt128(bits), isIPv4: true)
      return
    }
    if let percent = bytes.firstIndex(of: UInt8(ascii: "%")) {
      guard Self.groups(bytes[..<percent]) != nil else { throw .malformed }
      throw .zone
    }
    guard let bits = Self.groups(bytes[...]) else { throw .malformed }
    let isMapped = bits >> 32 == 0xFFFF
    guard !isMapped || !bytes.contains(UInt8(ascii: ".")) else { throw .mapped }
    self.init(bits: isMapped ? bits & 0xFFFF_FFFF : bits, isIPv4: isMapped)
  }

  /// `192.168.0.1`: four numbers without leading zeros.
  private static func dotted(_ text: ArraySlice<UInt8>) -> UInt32? {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0"),
        part.allSatisfy({ (0x30...0x39).contains($0) }),
        let number = UInt8(String(decoding: part, as: UTF8.self))
      else { return nil }
      bits = bits << 8 | UInt32(number)
    }
    return bits
  }

  /// Eight groups of hexadecimal digits; `::` stands for the zeros left out, dots may end it.
  private static func groups(_ text: ArraySlice<UInt8>) -> UInt128? {
    var before: [UInt16] = []
    var after: [UInt16]?
    var rest = text
    if rest.starts(with: [0x3A, 0x3A]) {
      after = []
      rest = rest.dropFirst(2)
    }
    while !rest.isEmpty {
      let end = rest.firstIndex(of: UInt8(ascii: ":")) ?? rest.endIndex
      let part = rest[rest.startIndex..<end]
      var groups: [UInt16]
      if part.contains(UInt8(ascii: ".")) {
        guard end == rest.endIndex, let bits = dotted(part) else { return nil }
        groups = [UInt16(bits >> 16), UInt16(truncatingIfNeeded: bits)]
      } else {
        guard (1...4).contains(part.count), part.allSatisfy(isHexadecimal),
          let group = UInt16(String(decoding: part, as: UTF8.self), radix: 16)
        else { return nil }
        groups = [group]
      }
      if after == nil { before += groups } else { after?.append(contentsOf: groups) }
      guard before.count + (after?.count ?? 0) <= 8 else { return nil }
      rest = rest[end...]
      guard !rest.isEmpty else { break }
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: ":") {
        guard after == nil else { return nil }
        after = []
        rest = rest.dropFirst()
      } else if rest.isEmpty {
        return nil
      }
    }
    let tail = after ?? []
    let missing = 8 - before.count - tail.count
    guard after == nil ? missing == 0 : missing > 0 else { return nil }
    let all = before + Array(repeating: 0, count: missing) + tail
    return all.reduce(UInt128(0)) { $0 << 16 | UInt128($1) }
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
    default: false
    }
  }

  /// Bits in an address of its family.
  var width: Int { isIPv4 ? 32 : 128 }

  private func prefix(_ count: Int) -> UInt128 { bits >> UInt128(width - count) }

  var isUnspecified: Bool { bits == 0 }
  /// 127.0.0.0/8 or ::1.
  var isLoopback: Bool { isIPv4 ? prefix(8) == 127 : bits == 1 }
  /// 224.0.0.0/4 or ff00::/8.
  var isMulticast: Bool { isIPv4 ? prefix(4) == 0xE : prefix(8) == 0xFF }
  /// 169.254.0.0/16 or fe80::/10.
  var isLinkLocalUnicast: Bool { isIPv4 ? prefix(16) == 0xA9FE : prefix(10) == 0xFE80 >> 6 }
  /// 224.0.0.0/24 or ff02::/16, the low four bits of ff00 being flags.
  var isLinkLocalMulticast: Bool {
    isIPv4 ? prefix(24) == 0xE00000 : prefix(16) & 0xFF0F == 0xFF02
  }
  /// Any other unicast address, private ones among them; not the IPv4 broadcast.
  var isGlobalUnicast: Bool {
    !isUnspecified && !isLoopback && !isMulticast && !isLinkLocalUnicast
      && !(isIPv4 && bits == 0xFFFF_FFFF)
  }
}

extension IPAddress: CustomStringConvertible {
  /// As RFC 5952 writes it: lower case, the longest run of zero groups as `::`.
  var description: String {
    if isIPv4 {
      return (0..<4).map { String(UInt8(truncatingIfNeeded: bits >> UInt128(24 - 8 * $0))) }
        .joined(separator: ".")
    }
    let groups = (0..<8).map { UInt16(truncatingIfNeeded: bits >> UInt128(112 - 16 * $0)) }
    var longest = 0..<0
    var start = 0
    for index in 0...8 where index == 8 || groups[index] != 0 {
      if index - start > max(longest.count, 1) { longest = start..<index }
      start = index + 1
    }
    let texts = groups.map { String($0, radix: 16) }
    guard !longest.isEmpty else { return texts.joined(separator: ":") }
    return texts[..<longest.lowerBound].joined(separator: ":") + "::"
      + texts[longest.upperBound...].joined(separator: ":")
  }
}
