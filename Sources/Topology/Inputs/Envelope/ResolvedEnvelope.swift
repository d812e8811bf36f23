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
  /// It stands in the record, and is no bytes.
  var isEmpty: Bool { count == 0 }

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

/// Values of the headers an envelope reads: of the first 16 on the stack, of more on the heap.
struct HeaderRanges {
  private static let stackCount = 16
  private var ranges = InlineArray<16, FieldRange>(repeating: .absent)
  private var more: [FieldRange] = []

  init(count: Int) {
    if count > Self.stackCount {
      more = Array(repeating: .absent, count: count - Self.stackCount)
    }
  }

  subscript(index: Int) -> FieldRange {
    get { index < Self.stackCount ? ranges[index] : more[index - Self.stackCount] }
    set {
      if index < Self.stackCount {
        ranges[index] = newValue
      } else {
        more[index - Self.stackCount] = newValue
      }
    }
  }
}

extension RawSpan {
  /// Whether exactly these bytes stand at `range`.
  func holds(_ expected: [UInt8], at range: Range<Int>) -> Bool {
    guard range.count == expected.count else { return false }
    return expected.span.bytes.equal(0..<expected.count, range, of: self)
  }

  /// Whether the same bytes stand at both ranges.
  func equal(_ left: Range<Int>, _ right: Range<Int>) -> Bool { equal(left, right, of: self) }

  /// Whether the same bytes stand at both ranges, the second of `other`.
  func equal(_ left: Range<Int>, _ right: Range<Int>, of other: RawSpan) -> Bool {
    guard left.count == right.count else { return false }
    // Slices check their bounds, once; what is read below lies within `count`.
    let (left, right, count) = (extracting(left), other.extracting(right), left.count)
    @inline(__always) func differ<Word: FixedWidthInteger & BitwiseCopyable>(
      _ type: Word.Type, _ offset: Int
    ) -> Bool {
      unsafe left.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: type)
        != right.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: type)
    }
    // The last word overlaps the one before, so that no byte is left over.
    if count >= 8 {
      var offset = 0
      while offset < count - 8 {
        if differ(UInt64.self, offset) { return false }
        offset += 8
      }
      return !differ(UInt64.self, count - 8)
    }
    if count >= 4 { return !differ(UInt32.self, 0) && !differ(UInt32.self, count - 4) }
    for offset in 0..<count where differ(UInt8.self, offset) { return false }
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
