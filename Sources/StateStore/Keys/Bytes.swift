import Glibc

extension [UInt8] {
  /// The bytes, lent.
  @usableFromInline
  var raw: RawSpan {
    @_lifetime(borrow self)
    @inline(__always)
    get {
      // SAFETY: bytes have no padding.
      unsafe span.bytes
    }
  }
}

/// Whether two runs of bytes are the same.
@inline(__always)
func equal(_ left: RawSpan, _ right: RawSpan) -> Bool {
  if left.byteCount != right.byteCount { return false }
  return compare(left, right) == 0
}

/// Whether `left` comes before `right`, byte by byte, a prefix first.
@inline(__always)
func precedes(_ left: RawSpan, _ right: RawSpan) -> Bool { compare(left, right) < 0 }

func compare(_ left: RawSpan, _ right: RawSpan) -> Int {
  let common = min(left.byteCount, right.byteCount)
  let result = unsafe left.withUnsafeBytes { left in
    unsafe right.withUnsafeBytes { right in
      guard common > 0, let left = left.baseAddress, let right = right.baseAddress else {
        return Int32(0)
      }
      return unsafe memcmp(left, right, common)
    }
  }
  return result != 0 ? Int(result) : left.byteCount - right.byteCount
}

/// Whether `left` comes before `right`, byte by byte, a prefix first.
func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  compare(left.raw, right.raw) < 0
}

/// The least key behind every key that begins with `prefix`; `nil` if there is none.
func end(ofPrefix prefix: [UInt8]) -> [UInt8]? {
  var end = prefix
  while let last = end.popLast() {
    if last < 0xFF {
      end.append(last + 1)
      return end
    }
  }
  return nil
}

/// Eight bytes that compare as the number does, for numbers from 0 up.
@inline(__always)
func withKey<Result>(
  _ number: Int64, _ body: (RawSpan) throws(StoreError) -> Result
) throws(StoreError) -> Result {
  let bytes = [number.bigEndian] as InlineArray<1, Int64>
  return try unsafe body(bytes.span.bytes)
}
