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
  private let space: KeySpace
  private let interval: Interval
  private let encoding: RowEncoding
  private let nextWord: Int
  private let index: Int32
  private var list = ByteList()
  private var places: [Place] = []
  /// How many of the list are of finished units.
  private var committedUnits = 0
  private var isTouched = false
  private var keyScratch: [UInt8] = []

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
  public func append(
    key: some StoreKey, sequence: Int64?, value: RawSpan
  ) throws(StoreError) {
    keyScratch.removeAll(keepingCapacity: true)
    key.encode(into: &keyScratch)
    let entry = try space.entry(for: keyScratch)
    _ = space.assignNumber(entry)
    if !isTouched {
      isTouched = true
      interval.touched.append(index)
    }
    list.append(tag: encoding.rawValue, value)
    places.append(
      Place(
        entry: Int32(entry), hasSequence: sequence != nil, sequence: sequence ?? 0))
    interval.words[nextWord] += 1
  }

  func commitUnit() {
    committedUnits = list.count
    isTouched = false
  }

  func rollbackUnit() {
    list.cut(to: committedUnits)
    places.removeLast(places.count - committedUnits)
    isTouched = false
  }

  func flush(_ transaction: Transaction) throws {
    if places.isEmpty { return }
    let first = interval.words[nextWord] - Int64(places.count)
    for position in places.indices {
      try withKey(first + Int64(position)) { key throws(StoreError) in
        try list.with(position) { value throws(StoreError) in
          try transaction.put(values, key, value, append: true)
        }
      }
    }
    var cursor = try transaction.cursor(tree)
    var key: [UInt8] = []
    for position in order() {
      let place = places[Int(position)]
      key.removeAll(keepingCapacity: true)
      AuditKey.append(
        row: space.number(Int(place.entry)),
        sequence: place.hasSequence ? place.sequence : nil,
        number: first + Int64(position), to: &key)
      try cursor.put(key.raw, RawSpan())
    }
  }

  private func order() -> [Int32] {
    let numbers = places.map { space.number(Int($0.entry)) }
    return (0..<Int32(places.count)).sorted {
      let (left, right) = (places[Int($0)], places[Int($1)])
      let (leftNumber, rightNumber) = (numbers[Int($0)], numbers[Int($1)])
      if leftNumber != rightNumber { return leftNumber < rightNumber }
      if left.hasSequence != right.hasSequence { return right.hasSequence }
      if left.sequence != right.sequence { return left.sequence < right.sequence }
      return $0 < $1
    }
  }

  func dropCache() {
    list.removeAll()
    places.removeAll(keepingCapacity: true)
    committedUnits = 0
    isTouched = false
  }

  var dirtyBytes: Int { list.bytes * 2 + places.count * 300 }
}

/// The key of an audit store's tree: row number of the entity, sequence, number of the value.
enum AuditKey {
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
