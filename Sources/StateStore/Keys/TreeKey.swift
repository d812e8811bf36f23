/// How a key of any length is kept in a tree whose keys have a limit.
///
/// A key of up to 495 bytes is kept as it is. A longer one is its first 495 bytes and its 128-bit
/// hash, 511 in all, the limit of LMDB, and the entry's value begins with the full key. Keys with
/// the same first 495 bytes lie together, so a walk has only these to put in order.
enum TreeKey {
  static let plainBytesMax = 495
  static let longBytes = 511

  @inline(__always)
  static func isLong(_ treeKey: RawSpan) -> Bool { treeKey.byteCount == longBytes }

  /// The form in the tree of a key that is too long for it.
  static func long(_ key: RawSpan) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(longBytes)
    bytes.append(key.extracting(first: plainBytesMax))
    let hash = Hash128(key)
    bytes.append(bigEndian: hash.high)
    bytes.append(bigEndian: hash.low)
    return bytes
  }

  /// Lends the form in the tree.
  @inline(__always)
  static func with<Result>(
    _ key: RawSpan, _ body: (RawSpan) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    if key.byteCount <= plainBytesMax { return try body(key) }
    let long = long(key)
    return try body(long.raw)
  }

  /// Appends what precedes the content in the value of a long key: its length and itself.
  static func appendHead(_ key: RawSpan, to value: inout [UInt8]) {
    if key.byteCount <= plainBytesMax { return }
    value.append(bigEndian: UInt32(key.byteCount))
    value.append(key)
  }

  /// Where the content begins in the value of an entry whose head lies at `head`.
  ///
  /// - Throws: ``StoreError`` with `corrupted`.
  @inline(__always)
  static func contentOffset(
    _ treeKey: RawSpan, _ value: RawSpan, head: Int, store: String
  ) throws(StoreError) -> Int {
    guard isLong(treeKey) else { return head }
    guard value.byteCount > head + 4 + plainBytesMax,
      case let length = Int(value.bigEndian(UInt32.self, at: head)), length > plainBytesMax,
      head + 4 + length <= value.byteCount
    else {
      throw StoreError(.corrupted, "a long key's entry has no key in it", store: store)
    }
    return head + 4 + length
  }
}
