/// Values kept for good in order of arrival, found by the key of their entity and their sequence
/// number.
///
/// Its visible key is [key, sequence], and [key, sequence, n] for the n-th repeat of a sequence
/// (n ≥ 1): computed when it is read. Values lie one behind the other under a number of their own;
/// beside them a tree (row number of the entity, sequence, number) keeps them findable.
public final class AuditStore: StoreParticipant {
  private struct Place {
    let entry: Int32
    let hasSequence: Bool
    let sequence: Int64
  }

  public let name: String
  private let values: Table
  private let tree: Table
  @usableFromInline let space: KeySpace
  private let interval: Interval
  private let encoding: RowEncoding
  private let nextWord: Int
  private let index: Int32
  private struct Hot: ~Copyable {
    var list = ByteList()
    var places: [Place] = []
    /// How many of the list are of finished units.
    var committedUnits = 0
    var lastUnit = -1
  }

  private let hot = OwnedState(Hot())
  @usableFromInline let keyScratch = OwnedState([UInt8]())

  init(
    name: String, values: Table, tree: Table, space: KeySpace, encoding: RowEncoding,
    interval: Interval, index: Int
  ) {
    self.name = name
    self.values = values
    self.tree = tree
    self.space = space
    self.encoding = encoding
    self.interval = interval
    self.index = Int32(index)
    self.nextWord = interval.words.register("rows.\(name)")
  }

  /// The number of values, the interval's included.
  public var count: Int { Int(interval.words[nextWord]) }

  /// Appends a value.
  ///
  /// - Parameter sequence: the entity's sequence number; `nil` comes before all others.
  /// - Throws: ``StoreError``.
  @inlinable
  public func append(
    key: some StoreKey, sequence: Int64?, value: RawSpan
  ) throws(StoreError) {
    keyScratch.value.removeAll(keepingCapacity: true)
    key.encode(into: &keyScratch.value)
    append(try space.entry(for: keyScratch.value), sequence: sequence, value: value)
  }

  @usableFromInline
  func append(_ entry: Int, sequence: Int64?, value: RawSpan) {
    _ = space.assignNumber(entry)
    if interval.isFirstChange(of: index, &hot.value.lastUnit) {
      hot.value.committedUnits = hot.value.list.count
    }
    hot.value.list.append(tag: encoding.rawValue, value)
    hot.value.places.append(
      Place(
        entry: Int32(entry), hasSequence: sequence != nil, sequence: sequence ?? 0))
    interval.words[nextWord] += 1
  }

  func rollbackUnit() {
    hot.value.list.cut(to: hot.value.committedUnits)
    hot.value.places.removeLast(hot.value.places.count - hot.value.committedUnits)
  }

  func flush(_ transaction: Transaction) throws {
    if hot.value.places.isEmpty { return }
    let first = interval.words[nextWord] - Int64(hot.value.places.count)
    try writeValues(transaction, first)
    try writeTree(transaction, first)
  }

  private func writeValues(_ transaction: Transaction, _ first: Int64) throws(StoreError) {
    var cursor = try transaction.cursor(values)
    for position in hot.value.places.indices {
      try withKey(first + Int64(position)) { key throws(StoreError) in
        try hot.value.list.with(position) { value throws(StoreError) in
          try cursor.put(key, value, append: true)
        }
      }
    }
  }

  private func writeTree(_ transaction: Transaction, _ first: Int64) throws(StoreError) {
    var keys: [UInt8] = []
    keys.reserveCapacity(hot.value.places.count * AuditKey.bytesMax)
    var ranges: [Range<Int32>] = []
    ranges.reserveCapacity(hot.value.places.count)
    for (position, place) in hot.value.places.enumerated() {
      let start = Int32(truncatingIfNeeded: keys.count)
      AuditKey.append(
        row: space.number(Int(place.entry)),
        sequence: place.hasSequence ? place.sequence : nil,
        number: first + Int64(position), to: &keys)
      ranges.append(start..<Int32(truncatingIfNeeded: keys.count))
    }
    var cursor = try transaction.cursor(tree)
    for position in unsafe KeyOrder.positions(of: ranges, in: keys.raw) {
      let range = ranges[Int(position)]
      try cursor.put(
        keys.raw.extracting(Int(range.lowerBound)..<Int(range.upperBound)), RawSpan())
    }
  }

  func dropCache() {
    hot.value.list.removeAll()
    hot.value.places.empty()
    hot.value.committedUnits = 0
  }

  func releaseMemory() {
    hot.value.list = ByteList()
    hot.value.places = []
  }

  var intervalBytes: IntervalBytes {
    let (values, places) = (hot.value.list.bytes, hot.value.places.count * 50)
    return IntervalBytes(cached: values + places, pages: values + places)
  }
}

/// The key of an audit store's tree: row number of the entity, sequence, number of the value.
enum AuditKey {
  static let bytesMax = 25

  static func append(row: Int64, sequence: Int64?, number: Int64, to bytes: inout [UInt8]) {
    appendPrefix(row: row, sequence: sequence, to: &bytes)
    bytes.append(bigEndian: number)
  }

  static func appendPrefix(row: Int64, sequence: Int64?, to bytes: inout [UInt8]) {
    bytes.append(bigEndian: row)
    if let sequence {
      KeyEncoding.append(integer: sequence, to: &bytes)
    } else {
      bytes.append(KeyTag.null)
    }
  }

  /// - Throws: ``StoreError`` with `corrupted`.
  static func read(
    _ key: RawSpan, store: String
  ) throws(StoreError) -> (row: Int64, sequence: Int64?, number: Int64) {
    if key.byteCount == 17 && key.unsafeByte(8) == KeyTag.null {
      return (key.bigEndian(Int64.self, at: 0), nil, key.bigEndian(Int64.self, at: 9))
    }
    guard key.byteCount == 25 && key.unsafeByte(8) == KeyTag.integer else {
      throw StoreError(.corrupted, "a key is not of an audit store", store: store)
    }
    let sequence = key.bigEndian(UInt64.self, at: 9) ^ (1 << 63)
    return (
      key.bigEndian(Int64.self, at: 0), Int64(bitPattern: sequence),
      key.bigEndian(Int64.self, at: 17)
    )
  }
}
