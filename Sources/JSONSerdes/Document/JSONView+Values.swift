public import StreamCore

extension JSONView {
  /// - Throws: ``SerdeError`` where this is no string.
  @inlinable
  public func string() throws -> String {
    check()
    guard unsafe state.pointee.byte(Int(index)) == 0x22 else { throw mismatch("a string") }
    return unsafe state.pointee.string(Int(index))
  }

  /// - Throws: ``SerdeError`` where this is neither true nor false.
  @inlinable
  public func bool() throws -> Bool {
    check()
    switch unsafe state.pointee.byte(Int(index)) {
    case 0x74: return true
    case 0x66: return false
    default: throw mismatch("a boolean")
    }
  }

  /// A whole number, however it is written: `100`, `1E+2`, `100.0`.
  ///
  /// - Throws: ``SerdeError`` where this is no number, has a fraction, or is beyond 64 bits.
  @inlinable
  public func int64() throws -> Int64 {
    guard kind == .number else { throw mismatch("a whole number") }
    let text = unsafe state.pointee.text(Int(index))
    // Up to 18 digits, as nearly all are, cannot overflow.
    let negative = unsafe text[0] == 0x2D
    let first = negative ? 1 : 0
    if text.count - first <= 18 {
      var number: Int64 = 0
      var position = first
      while position < text.count {
        let digit = unsafe text[position] &- 0x30
        guard digit <= 9 else { break }
        number = number &* 10 &+ Int64(digit)
        position += 1
      }
      if position == text.count { return negative ? -number : number }
    }
    return try wholeNumber()
  }

  @usableFromInline @inline(never)
  func wholeNumber() throws -> Int64 {
    guard let number = try decimal().int64 else {
      throw error("expected a whole number of 64 bits")
    }
    return number
  }

  /// As ``int64()``, in another type.
  @inlinable
  public func integer<Integer: FixedWidthInteger>(
    _ type: Integer.Type = Integer.self
  ) throws -> Integer {
    if Integer.isSigned || Integer.bitWidth < 64 {
      guard let number = Integer(exactly: try int64()) else {
        throw error("expected a whole number of \(Integer.bitWidth) bits")
      }
      return number
    }
    guard kind == .number else { throw mismatch("a whole number") }
    let number = try decimal().canonical
    guard number.scale == 0, let number = Integer(exactly: number.coefficient) else {
      throw error("expected a whole number of \(Integer.bitWidth) bits without sign")
    }
    return number
  }

  /// An exact decimal, from a number or a string.
  ///
  /// - Throws: ``SerdeError`` where this is neither, or has more than 38 digits.
  @inlinable
  public func decimal() throws -> Decimal {
    let text: UnsafeRawBufferPointer
    switch kind {
    case .number: unsafe text = unsafe state.pointee.text(Int(index))
    case .string: unsafe text = unsafe UnsafeRawBufferPointer(state.pointee.stringBytes(Int(index)))
    default: throw mismatch("a decimal number")
    }
    do { return try unsafe Decimal(parsing: text) } catch { throw self.error("\(error)") }
  }

  /// The nearest double of a number.
  ///
  /// - Throws: ``SerdeError`` where this is no number or beyond all doubles.
  public func double() throws -> Double {
    guard kind == .number else { throw mismatch("a number") }
    if let number = unsafe Self.shortNumber(state.pointee.text(Int(index))) { return number }
    let text = unsafe String(decoding: state.pointee.text(Int(index)), as: UTF8.self)
    guard let number = Double(text), number.isFinite else { throw error("beyond all doubles") }
    return number
  }

  /// A number of up to 15 digits without an exponent: its digits and the power of ten are doubles
  /// without error, so that their quotient is the nearest double (Clinger, 1990).
  private static func shortNumber(_ text: UnsafeRawBufferPointer) -> Double? {
    var digits: Int64 = 0
    var scale = -1
    var count = 0
    let isNegative = unsafe text.first == 0x2D
    for index in (isNegative ? 1 : 0)..<text.count {
      let byte = unsafe text[index]
      if byte == 0x2E, scale < 0, count > 0 {
        scale = 0
        continue
      }
      guard byte &- 0x30 <= 9, count < powersOfTen.count - 1 else { return nil }
      digits = digits * 10 + Int64(byte &- 0x30)
      count += 1
      if scale >= 0 { scale += 1 }
    }
    guard count > 0, scale != 0 else { return nil }
    let number = Double(digits) / powersOfTen[max(scale, 0)]
    return isNegative ? -number : number
  }

  private static let powersOfTen: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
  ]

  /// A point in time in any form that ``StreamCore/Instant/init(parsing:in:zone:)`` reads, from a
  /// string or a number.
  ///
  /// - Parameter zone: for a date-time without offset, which is an error without it.
  /// - Throws: ``SerdeError``.
  @inlinable
  public func instant(zone: (any ZoneRules)? = nil) throws -> Instant {
    let text: UnsafeRawBufferPointer
    switch kind {
    case .number: unsafe text = unsafe state.pointee.text(Int(index))
    case .string: unsafe text = unsafe UnsafeRawBufferPointer(state.pointee.stringBytes(Int(index)))
    default: throw mismatch("a time")
    }
    do {
      return zone == nil
        ? try unsafe Instant(parsing: text) : try unsafe Instant(parsing: text, zone: zone)
    } catch {
      throw self.error("\(error)")
    }
  }

  /// As ``instant(zone:)``, rounded to the millisecond before it.
  @inlinable
  public func timestamp(zone: (any ZoneRules)? = nil) throws -> Timestamp {
    Timestamp(try instant(zone: zone))
  }

  /// - Throws: ``SerdeError`` where this is no array or an element is no `Element`.
  @inlinable
  public func array<Element: JSONDecodable>(of type: Element.Type = Element.self) throws
    -> [Element]
  {
    let values = try self.elements()
    var elements: [Element] = []
    elements.reserveCapacity(values.reduce(0) { count, _ in count + 1 })
    for element in values { elements.append(try Element(json: element)) }
    return elements
  }

  /// - Throws: ``SerdeError``, or what the type's own checks throw.
  @inlinable
  public func decode<Value: JSONDecodable>(_ type: Value.Type = Value.self) throws -> Value {
    try Value(json: self)
  }
}

/// A type that reads itself from JSON: the fast way; `Codable` is the convenient one.
public protocol JSONDecodable: SendableMetatype {
  /// - Throws: ``SerdeError``; ``JSONView/error(_:)`` makes one with the path.
  init(json: JSONView) throws
}

extension String: JSONDecodable {
  @inlinable public init(json: JSONView) throws { self = try json.string() }
}
extension Bool: JSONDecodable {
  @inlinable public init(json: JSONView) throws { self = try json.bool() }
}
extension Int: JSONDecodable {
  @inlinable public init(json: JSONView) throws { self = Int(try json.int64()) }
}
extension Int64: JSONDecodable {
  @inlinable public init(json: JSONView) throws { self = try json.int64() }
}
extension Int32: JSONDecodable {
  @inlinable public init(json: JSONView) throws { self = try json.integer() }
}
extension Double: JSONDecodable {
  @inlinable public init(json: JSONView) throws { self = try json.double() }
}
extension Decimal: JSONDecodable {
  @inlinable public init(json: JSONView) throws { self = try json.decimal() }
}
extension Instant: JSONDecodable {
  @inlinable public init(json: JSONView) throws { self = try json.instant() }
}
extension Timestamp: JSONDecodable {
  @inlinable public init(json: JSONView) throws { self = try json.timestamp() }
}
/// Null is `nil`. An absent member is the caller's to tell from it.
extension Optional: JSONDecodable where Wrapped: JSONDecodable {
  @inlinable public init(json: JSONView) throws {
    self = json.isNull ? nil : try Wrapped(json: json)
  }
}
extension Array: JSONDecodable where Element: JSONDecodable {
  @inlinable public init(json: JSONView) throws { self = try json.array() }
}
extension Dictionary: JSONDecodable where Key == String, Value: JSONDecodable {
  @inlinable public init(json: JSONView) throws {
    self.init()
    for member in try json.members() { self[member.name.string] = try Value(json: member.value) }
  }
}
