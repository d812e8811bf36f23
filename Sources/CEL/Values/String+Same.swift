extension String {
  /// Whether code points are the same; Swift's `==` compares after normalization.
  @inline(__always)
  func isSame(as other: String) -> Bool {
    // Same code points are always equal in Swift's sense, and strings of ASCII the other way, too.
    utf8.count == other.utf8.count && self == other && (isSmallASCII || hasBytes(of: other))
  }

  /// Not larger than a few bytes and ASCII only: looks at each of the few bytes.
  @inline(__always)
  private var isSmallASCII: Bool {
    utf8.count <= 15 && utf8.allSatisfy { $0 < 0x80 }
  }

  private func hasBytes(of other: String) -> Bool {
    let same = utf8.withContiguousStorageIfAvailable { left in
      other.utf8.withContiguousStorageIfAvailable { right in
        unsafe left.elementsEqual(right)
      } ?? false
    }
    return same ?? utf8.elementsEqual(other.utf8)
  }

  /// Whether this comes before `other` in the order of code points, which is that of UTF-8 bytes.
  func comesBefore(_ other: String) -> Bool { utf8.lexicographicallyPrecedes(other.utf8) }
}
