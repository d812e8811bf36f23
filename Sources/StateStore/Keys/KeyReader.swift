import StreamCore

/// Reads the components of an encoded key one after another.
public struct KeyReader: Sendable {
  let bytes: [UInt8]
  public private(set) var position = 0

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  public var isAtEnd: Bool { position >= bytes.count }

  private var malformed: StoreError {
    StoreError(.corrupted, "a key's byte \(position) is not of a key", store: "key")
  }

  private mutating func byte(_ invert: UInt8) throws(StoreError) -> UInt8 {
    guard position < bytes.count else { throw malformed }
    defer { position += 1 }
    return bytes[position] ^ invert
  }

  private mutating func word(_ count: Int, _ invert: UInt8) throws(StoreError) -> UInt64 {
    var word: UInt64 = 0
    for _ in 0..<count { word = word << 8 | UInt64(try byte(invert)) }
    return word
  }

  private mutating func ordered(_ invert: UInt8) throws(StoreError) -> Int64 {
    Int64(bitPattern: try word(8, invert) ^ (1 << 63))
  }

  /// The next component, with whether it sorts descending.
  ///
  /// - Throws: ``StoreError`` with `corrupted` for bytes that are no component.
  public mutating func component() throws(StoreError) -> (value: KeyComponent, descending: Bool) {
    guard position < bytes.count else { throw malformed }
    let descending = bytes[position] >= 0x80
    let invert: UInt8 = descending ? 0xFF : 0
    let value: KeyComponent
    switch try byte(invert) {
    case KeyTag.null: value = .null
    case KeyTag.boolean: value = .boolean(try byte(invert) != 0)
    case KeyTag.integer: value = .integer(try ordered(invert))
    case KeyTag.timestamp: value = .timestamp(Timestamp(milliseconds: try ordered(invert)))
    case KeyTag.instant:
      let seconds = try ordered(invert)
      let nanoseconds = try word(4, invert)
      guard nanoseconds < 1_000_000_000 else { throw malformed }
      value = .instant(Instant(seconds: seconds, nanoseconds: Int32(nanoseconds)))
    case KeyTag.decimal: value = .decimal(try decimal(invert))
    case KeyTag.string: value = .string(try string(invert))
    case KeyTag.uuid: value = .string(try uuid(invert))
    default:
      position -= 1
      throw malformed
    }
    return (value, descending)
  }

  private mutating func decimal(_ outer: UInt8) throws(StoreError) -> Decimal {
    let head = try byte(outer)
    if head == 0x80 { return .zero }
    let negative = head < 0x80
    let invert: UInt8 = negative ? 0xFF : 0
    let exponent = Int(head ^ invert) - 0xC0
    var coefficient: Int128 = 0
    var count = 0
    while true {
      let pair = try byte(outer) ^ invert
      if pair == 0 { break }
      guard pair <= 100, count < 38 else { throw malformed }
      coefficient = coefficient * 100 + Int128(pair - 1)
      count += 2
    }
    if coefficient % 10 == 0 && count > 0 {
      coefficient /= 10
      count -= 1
    }
    var scale = count - exponent
    while scale < 0 {
      let (product, overflow) = coefficient.multipliedReportingOverflow(by: 10)
      guard !overflow else { throw malformed }
      coefficient = product
      scale += 1
    }
    guard scale <= Decimal.digitsMax else { throw malformed }
    do throws(DecimalError) {
      return try Decimal(coefficient: negative ? -coefficient : coefficient, scale: scale)
    } catch {
      throw malformed
    }
  }

  private mutating func string(_ invert: UInt8) throws(StoreError) -> String {
    var utf8: [UInt8] = []
    while true {
      let next = try byte(invert)
      if next == 0 {
        guard position < bytes.count, bytes[position] ^ invert == 0xFF else { break }
        position += 1
      }
      utf8.append(next)
    }
    guard let text = String(validating: utf8, as: UTF8.self) else { throw malformed }
    return text
  }

  private mutating func uuid(_ invert: UInt8) throws(StoreError) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var utf8: [UInt8] = []
    for index in 0..<16 {
      if index == 4 || index == 6 || index == 8 || index == 10 { utf8.append(0x2D) }
      let next = try byte(invert)
      utf8.append(digits[Int(next >> 4)])
      utf8.append(digits[Int(next & 15)])
    }
    return String(decoding: utf8, as: UTF8.self)
  }
}
