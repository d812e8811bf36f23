extension Decimal: CustomStringConvertible, LosslessStringConvertible {
  /// Reads `[+-]digits[.digits][(e|E)[+-]digits]`, a JSON number among them, from a slice of
  /// `bytes`. A positive exponent is multiplied out: `1E+2` is `100`.
  ///
  /// - Throws: ``DecimalError/malformed`` or ``DecimalError/overflow``.
  public init(parsing bytes: RawSpan, in range: Range<Int>) throws(DecimalError) {
    let text = unsafe bytes.withUnsafeBytes { unsafe UnsafeRawBufferPointer(rebasing: $0[range]) }
    // SAFETY: `bytes` is borrowed for the whole call, and so is the slice of it.
    try unsafe self.init(parsing: text)
  }

  /// As ``init(parsing:in:)``, for a caller that holds a pointer.
  public init(parsing text: UnsafeRawBufferPointer) throws(DecimalError) {
    var position = 0
    var negative = false
    if let first = unsafe text.first, first == 0x2D || first == 0x2B {
      negative = first == 0x2D
      position = 1
    }
    // Up to 19 digits fit in a word; the rest go on in 128 bits.
    var word: UInt64 = 0
    var wide: UInt128 = 0
    var significant = 0
    func take(from start: Int) throws(DecimalError) -> Int {
      var index = start
      while index < text.count {
        let digit = unsafe text[index] &- 0x30
        guard digit <= 9 else { break }
        if significant < 19 {
          word = word &* 10 &+ UInt64(digit)
          if word != 0 { significant += 1 }
        } else {
          if significant == 19 { wide = UInt128(word) }
          guard significant < Self.digitsMax else { throw .overflow }
          wide = wide &* 10 &+ UInt128(digit)
          significant += 1
        }
        index += 1
      }
      guard index > start else { throw .malformed }
      return index
    }

    position = try take(from: position)
    var scale = 0
    if position < text.count, unsafe text[position] == 0x2E {
      let point = position
      position = try take(from: point + 1)
      scale = position - point - 1
    }
    if position < text.count, unsafe text[position] | 0x20 == 0x65 {
      scale -= try unsafe Self.exponent(text, &position)
    }
    guard position == text.count else { throw .malformed }
    var magnitude = significant > 19 ? wide : UInt128(word)
    if scale < 0 || scale > Self.digitsMax {
      if magnitude == 0 {
        scale = scale < 0 ? 0 : Self.digitsMax
      } else {
        guard scale < 0, scale > -Self.digitsMax else { throw .overflow }
        let (product, overflow) = magnitude.multipliedReportingOverflow(
          by: Self.powersOfTen[-scale])
        guard !overflow, product < Self.limit else { throw .overflow }
        magnitude = product
        scale = 0
      }
    }
    let coefficient = Int128(truncatingIfNeeded: magnitude)
    self.init(unchecked: negative ? -coefficient : coefficient, scale: scale)
  }

  /// - Throws: ``DecimalError/malformed`` or ``DecimalError/overflow``.
  public init(parsing text: String) throws(DecimalError) {
    let bytes = Array(text.utf8)
    try self.init(parsing: bytes.span.bytes, in: 0..<bytes.count)
  }

  /// `nil` where `text` is no decimal of at most 38 digits.
  public init?(_ text: String) {
    do { try self.init(parsing: text) } catch { return nil }
  }

  /// Digits written with one word: 10^18.
  private static var wordDigits: UInt128 { 1_000_000_000_000_000_000 }

  /// An exponent behind its `e`, clamped where it is far beyond any that fits.
  private static func exponent(
    _ text: UnsafeRawBufferPointer, _ position: inout Int
  ) throws(DecimalError) -> Int {
    position += 1
    var negative = false
    if position < text.count, unsafe text[position] == 0x2D || text[position] == 0x2B {
      negative = unsafe text[position] == 0x2D
      position += 1
    }
    let start = position
    var exponent = 0
    while position < text.count {
      let digit = unsafe text[position] &- 0x30
      guard digit <= 9 else { break }
      exponent = min(exponent * 10 + Int(digit), 1 << 40)
      position += 1
    }
    guard position > start else { throw .malformed }
    return negative ? -exponent : exponent
  }

  /// Plain notation with all digits of the scale, as `-0.10`.
  public var description: String {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Appends the text of ``description``, without allocating for it.
  public func append(to bytes: inout [UInt8]) {
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.textBytesMax) { text in
      guard let start = text.baseAddress else { return }
      let count = unsafe write(to: start)
      unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: count))
    }
  }

  /// The longest text: 38 digits, a sign, a point and a zero before it, rounded up.
  package static let textBytesMax = 48

  /// Writes the text of ``description`` to room for ``textBytesMax`` bytes; how many it has.
  package func write(to text: UnsafeMutablePointer<UInt8>) -> Int {
    var start = 0
    if coefficient < 0 {
      unsafe text[0] = 0x2D
      start = 1
    }
    // One digit at least stands before the point.
    let end = unsafe start + Self.write(coefficient.magnitude, atLeast: scale + 1, to: text + start)
    if scale == 0 { return end }
    var position = end
    for _ in 0..<scale {
      unsafe text[position] = text[position - 1]
      position -= 1
    }
    unsafe text[position] = 0x2E
    return end + 1
  }

  /// Writes a number with `atLeast` digits or more; how many it has.
  private static func write(
    _ magnitude: UInt128, atLeast: Int, to text: UnsafeMutablePointer<UInt8>
  ) -> Int {
    if magnitude <= UInt128(UInt64.max) {
      let word = UInt64(truncatingIfNeeded: magnitude)
      let count = max(atLeast, DecimalDigits.count(word))
      unsafe DecimalDigits.fill(text, count, word)
      return count
    }
    // Words are divided several times faster than 128 bits: 18 digits at a time.
    let (high, low) = magnitude.quotientAndRemainder(dividingBy: wordDigits)
    let count = unsafe write(high, atLeast: atLeast - 18, to: text)
    unsafe DecimalDigits.fill(text + count, 18, UInt64(truncatingIfNeeded: low))
    return count + 18
  }
}

/// Codable formats other than ours get the text: no double is exact.
extension Decimal: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do {
      try self.init(parsing: container.decode(String.self))
    } catch let error as DecimalError {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(error)")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
