import StreamCore

/// The fields of an envelope that are text.
enum EnvelopeField: Int, Hashable, Sendable {
  case eventID, eventType, aggregateID, aggregateType, correlationID, occurredAt, sequenceNumber
  case schemaVersion
}

/// Where a field lies in a batch's bytes: a plain value, for there are many of them a record.
struct FieldRange: Hashable {
  private let start: Int32
  private let count: Int32

  static let absent = FieldRange(start: 0, count: -1)
  /// Text that does not stand in the record as it is: it had escapes, or was put together. It is
  /// kept beside the envelope.
  static let composed = FieldRange(start: 0, count: -2)

  init(start: Int, count: Int) {
    self.start = Int32(truncatingIfNeeded: start)
    self.count = Int32(truncatingIfNeeded: count)
  }

  init(_ range: Range<Int>) { self.init(start: range.lowerBound, count: range.count) }

  init(_ range: Range<Int>?) {
    self = range.map { FieldRange($0) } ?? .absent
  }

  var isAbsent: Bool { count == -1 }
  var isComposed: Bool { count == -2 }

  /// `nil` where nothing stands in the record.
  var range: Range<Int>? { count < 0 ? nil : Int(start)..<Int(start) + Int(count) }
}

/// The envelope of one record, found but not decoded.
struct ResolvedEnvelope {
  var eventID = FieldRange.absent
  var eventType = FieldRange.absent
  var aggregateID = FieldRange.absent
  var aggregateType = FieldRange.absent
  var correlationID = FieldRange.absent
  var occurredAt = FieldRange.absent
  var payload = FieldRange.absent
}

/// Values of the headers an envelope reads, on the stack.
struct HeaderRanges {
  static let countMax = 16
  private var ranges = InlineArray<16, FieldRange>(repeating: .absent)

  subscript(index: Int) -> FieldRange {
    get { ranges[index] }
    set { ranges[index] = newValue }
  }
}

extension RawSpan {
  /// Whether exactly these bytes stand at `range`.
  func holds(_ expected: [UInt8], at range: Range<Int>) -> Bool {
    guard range.count == expected.count else { return false }
    return expected.span.bytes.equal(0..<expected.count, range, of: self)
  }

  /// Whether all bytes at `range` are ASCII.
  func isASCII(_ range: Range<Int>) -> Bool {
    let text = extracting(range)
    var all: UInt64 = 0
    var index = 0
    while index + 8 <= text.byteCount {
      all |= unsafe text.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
      index += 8
    }
    while index < text.byteCount {
      all |= UInt64(unsafe text.unsafeLoad(fromByteOffset: index, as: UInt8.self))
      index += 1
    }
    return all & 0x8080_8080_8080_8080 == 0
  }

  /// Whether the same bytes stand at both ranges.
  func equal(_ left: Range<Int>, _ right: Range<Int>) -> Bool { equal(left, right, of: self) }

  /// Whether the same bytes stand at both ranges, the second of `other`.
  func equal(_ left: Range<Int>, _ right: Range<Int>, of other: RawSpan) -> Bool {
    guard left.count == right.count else { return false }
    let (left, right) = (extracting(left), other.extracting(right))
    var index = 0
    while index + 8 <= left.byteCount {
      let one = unsafe left.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
      let two = unsafe right.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
      if one != two { return false }
      index += 8
    }
    while index < left.byteCount {
      let one = unsafe left.unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self)
      let two = unsafe right.unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self)
      if one != two { return false }
      index += 1
    }
    return true
  }

  /// Decimal text as a number; `nil` for anything else or beyond 64 bits.
  func wholeNumber(at range: Range<Int>) -> Int64? {
    guard !range.isEmpty, range.count <= 20 else { return nil }
    var value: Int64 = 0
    var position = range.lowerBound
    let negative = unsafe unsafeLoad(fromByteOffset: position, as: UInt8.self) == 0x2d
    if negative { position += 1 }
    guard position < range.upperBound else { return nil }
    while position < range.upperBound {
      let byte = unsafe unsafeLoad(fromByteOffset: position, as: UInt8.self)
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.subtractingReportingOverflow(Int64(byte - 0x30))
      if overflow || carry { return nil }
      value = sum
      position += 1
    }
    if negative { return value }
    return value == .min ? nil : -value
  }
}
