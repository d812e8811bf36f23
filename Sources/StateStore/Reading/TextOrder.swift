/// The order of answers, in which a key compares as the text it is.
///
/// A UUID is stored in 16 bytes where it is the last component of a key, under a tag of its own:
/// as stored, it lies behind every other text. The *order* of a key is its stored form with such a
/// UUID written out; bounds, cursors and merges compare orders.
package enum TextOrder {
  /// The order of a key of these components.
  package static func bytes(_ components: [KeyComponent]) -> [UInt8] {
    var bytes: [UInt8] = []
    for component in components {
      if case .string(let text) = component {
        append(text.utf8, to: &bytes)
        bytes.append(0)
      } else {
        component.encode(into: &bytes)
      }
    }
    return bytes
  }

  /// The order of all keys whose last given component begins with a text, as a range.
  package static func range(ofPrefix text: String, behind components: [KeyComponent] = [])
    -> KeyRange
  {
    var bytes = bytes(components)
    append(text.utf8, to: &bytes)
    return KeyRange(prefix: bytes)
  }

  /// The order of all keys that begin with these components.
  package static func range(of components: [KeyComponent]) -> KeyRange {
    let group = bytes(components)
    return group.isEmpty ? KeyRange() : KeyRange(from: group, to: end(ofGroup: group))
  }

  /// Behind every key whose first components are those of `group`: no tag is FF, and a text that
  /// goes on where the group's ends has FF there.
  static func end(ofGroup group: [UInt8]) -> [UInt8] { group + [0xFF] }

  /// The order of a stored key whose last component begins at `last`.
  static func order(of key: [UInt8], last: Int) -> [UInt8] {
    guard key.count == last + 17, key[last] == KeyTag.uuid else { return key }
    var order = [UInt8](key[..<last])
    order.append(KeyTag.string)
    for index in 0..<16 {
      if dashes.contains(order.count - last - 1) { order.append(0x2D) }
      order.append(digits[Int(key[last + 1 + index] >> 4)])
      order.append(digits[Int(key[last + 1 + index] & 15)])
    }
    order.append(0)
    return order
  }

  /// The least UUID, in 16 bytes, whose text is not before `text`; `nil` if there is none.
  static func leastUUID(notBefore text: ArraySlice<UInt8>) -> [UInt8]? {
    var found = [UInt8](repeating: 0x30, count: 36)
    for dash in dashes { found[dash] = 0x2D }
    let wanted = Array(text.prefix(36))
    var place = 0
    while place < wanted.count, isAllowed(wanted[place], at: place) {
      found[place] = wanted[place]
      place += 1
    }
    guard place < wanted.count else { return packed(found) }
    // The first character that none has: it is raised here, or where one before can be.
    var raised = next(behind: wanted[place], at: place)
    while raised == nil, place > 0 {
      found[place] = dashes.contains(place) ? 0x2D : 0x30
      place -= 1
      raised = next(behind: found[place], at: place)
    }
    guard let raised else { return nil }
    found[place] = raised
    return packed(found)
  }

  /// Where each of the first `count` components of a key ends; `nil` where it has fewer whole ones.
  static func end(ofComponents count: Int, of key: [UInt8]) -> Int? {
    var position = 0
    for _ in 0..<count {
      guard let end = end(ofComponentAt: position, of: key) else { return nil }
      position = end
    }
    return position
  }

  /// Where the component that begins at `start` ends; `nil` where it is none, or not whole.
  static func end(ofComponentAt start: Int, of key: [UInt8]) -> Int? {
    guard start < key.count else { return nil }
    let invert: UInt8 = key[start] >= 0x80 ? 0xFF : 0
    func within(_ length: Int) -> Int? { start + length <= key.count ? start + length : nil }
    switch key[start] ^ invert {
    case KeyTag.null: return within(1)
    case KeyTag.boolean: return within(2)
    case KeyTag.integer, KeyTag.timestamp: return within(9)
    case KeyTag.instant: return within(13)
    case KeyTag.uuid: return within(17)
    case KeyTag.string:
      var position = start + 1
      while position < key.count {
        let isEnd = key[position] == invert
        if isEnd, position + 1 >= key.count || key[position + 1] ^ invert != 0xFF {
          return position + 1
        }
        position += isEnd ? 2 : 1
      }
      return nil
    case KeyTag.decimal:
      guard start + 1 < key.count else { return nil }
      let head = key[start + 1] ^ invert
      if head == 0x80 { return start + 2 }
      let last: UInt8 = (head < 0x80 ? 0xFF : 0) ^ invert
      guard let end = key[(start + 2)...].firstIndex(of: last) else { return nil }
      return end + 1
    default: return nil
    }
  }

  // MARK: Text

  private static let digits = Array("0123456789abcdef".utf8)
  private static let dashes = [8, 13, 18, 23]

  /// A text with 00 escaped, not terminated.
  private static func append(_ text: String.UTF8View, to bytes: inout [UInt8]) {
    bytes.append(KeyTag.string)
    for byte in text {
      bytes.append(byte)
      if byte == 0 { bytes.append(0xFF) }
    }
  }

  private static func isAllowed(_ character: UInt8, at place: Int) -> Bool {
    dashes.contains(place) ? character == 0x2D : digits.contains(character)
  }

  /// The least character that a UUID can have there and that is greater.
  private static func next(behind character: UInt8, at place: Int) -> UInt8? {
    if dashes.contains(place) { return character < 0x2D ? 0x2D : nil }
    return digits.first { $0 > character }
  }

  private static func packed(_ text: [UInt8]) -> [UInt8] {
    let values = text.filter { $0 != 0x2D }.map { $0 < 0x3A ? $0 - 0x30 : $0 - 0x61 + 10 }
    return stride(from: 0, to: 32, by: 2).map { values[$0] << 4 | values[$0 + 1] }
  }
}
