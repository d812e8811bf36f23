package import StreamCore

/// The ids of the records a task has applied, exact, by their 128-bit hashes.
///
/// The newest ids are a small exact set; full, it is sorted and sealed into a segment on disk, and
/// four bytes an id stay in memory to say which segment may hold it. A look-up that finds nothing
/// there reads nothing. All of it is in the transaction of the state it guards.
package final class SeenIDs: StoreParticipant {
  /// How long ids are kept. Beyond it a repeated record is applied again.
  package enum Retention: Hashable, Sendable {
    case forever
    /// At least the newest so many, at most an eighth more.
    case count(Int)
    /// At least those whose event time is so many milliseconds behind the greatest one seen.
    case age(milliseconds: Int64)
  }

  package struct Statistics: Hashable, Sendable {
    package let ids: Int
    package let memoryBytes: Int
    package let diskBytes: Int
  }

  static let segmentIDsMax = 262_144
  /// A segment's number modulo this is part of each fingerprint.
  static let segmentsMax = 4096

  /// To be set before the first interval.
  package var retention = Retention.forever
  private let interval: Interval
  private let words: Words
  private let tables: IDTables
  private let index: Int32
  private let minTimeWord: Int
  private let maxTimeWord: Int
  private let newestWord: Int
  private let nextWord: Int
  private struct Hot: ~Copyable {
    var lastUnit = -1
    var active = ActiveIDs()
    /// The places of the active ids that no flush has written yet.
    var pending: [IDPlace] = []
    var committedUnits = 0
    var fingerprints = FingerprintIndex(ids: 0)
  }

  private let hot = OwnedState(Hot())
  private var committed = 0
  private var segments: [IDSegment] = []
  private var sealed: IDSegment?
  /// Its ids in order, in which the index takes them from its start to its end.
  private var sealedHashes: [Hash128] = []
  /// Number and times of the segment that the flush under way seals.
  private var sealing: (Int64, Int64, Int64)?
  private var dropped: [IDSegment] = []

  init(_ interval: Interval, index: Int) throws(StoreError) {
    self.interval = interval
    self.words = interval.words
    self.index = Int32(index)
    self.tables = try IDTables(interval.environment)
    self.minTimeWord = interval.words.register("ids.minTime", initial: .max)
    self.maxTimeWord = interval.words.register("ids.maxTime", initial: .min)
    self.newestWord = interval.words.register("ids.newest", initial: .min)
    self.nextWord = interval.words.register("ids.nextSegment")
    let read = try ReadTransaction(interval.environment)
    let transaction = read.operations
    segments = try tables.loadSegments(transaction)
    hot.value.fingerprints = try Self.load(tables, segments, room: 0, transaction)
    var loaded = ActiveIDs()
    try tables.forEachActive(transaction) { loaded.append($0.hash) }
    committed = loaded.count
    hot.value.active = loaded
    hot.value.committedUnits = committed
  }

  private static func load(
    _ tables: IDTables, _ segments: [IDSegment], room: Int, _ transaction: Transaction
  ) throws(StoreError) -> FingerprintIndex {
    var fingerprints = FingerprintIndex(ids: segments.reduce(room) { $0 + $1.count })
    for segment in segments {
      try tables.forEach(transaction, segment: segment.number) {
        fingerprints.insert($0, segment: segment.number % segmentsMax)
      }
    }
    return fingerprints
  }

  /// Tells that ``find(_:)`` and perhaps ``insert(_:offset:valueHash:scope:timestamp:)`` follow.
  package func expect(_ hash: Hash128) { hot.value.active.prefetch(hash) }

  /// Where the id was seen before, in this interval or earlier.
  package func find(_ hash: Hash128) throws(StoreError) -> SeenID? {
    if let position = hot.value.active.position(hash) {
      let firstPending = hot.value.active.count - hot.value.pending.count
      if position >= firstPending { return hot.value.pending[position - firstPending].seenID }
      return try interval.reading { transaction throws(StoreError) in
        try tables.activePlace(transaction, position).seenID
      }
    }
    if segments.isEmpty { return nil }
    var place: IDPlace?
    try hot.value.fingerprints.forCandidates(hash) { segment throws(StoreError) in
      guard let number = number(ofSegment: segment) else { return false }
      place = try interval.reading { transaction throws(StoreError) in
        try tables.find(transaction, segment: number, hash)
      }
      return place != nil
    }
    return place?.seenID
  }

  /// The full number of a live segment from its last 12 bits.
  private func number(ofSegment segment: Int) -> Int? {
    guard let first = segments.first?.number else { return nil }
    return first + (segment - first % Self.segmentsMax + Self.segmentsMax) % Self.segmentsMax
  }

  /// Adds an id that ``find(_:)`` did not find.
  ///
  /// - Throws: ``StoreError`` at the limit of 4,096 segments, about 10^9 ids.
  package func insert(
    _ hash: Hash128, offset: Int64, valueHash: UInt32, scope: UInt8 = 0, timestamp: Timestamp
  ) throws(StoreError) {
    if hot.value.active.count >= Self.segmentIDsMax && segments.count == Self.segmentsMax {
      throw StoreError(
        .failed, "\(count) ids are the limit of one task; give the ids a retention",
        store: "ids")
    }
    if interval.isFirstChange(of: index, &hot.value.lastUnit) {
      hot.value.committedUnits = hot.value.active.count
    }
    hot.value.active.append(hash)
    hot.value.pending.append(IDPlace(offset: offset, valueHash: valueHash, scope: scope))
    let time = timestamp.milliseconds
    if time < words[minTimeWord] { words[minTimeWord] = time }
    if time > words[maxTimeWord] { words[maxTimeWord] = time }
    if time > words[newestWord] { words[newestWord] = time }
  }

  package var count: Int { hot.value.active.count + segments.reduce(0) { $0 + $1.count } }

  package func statistics() throws(StoreError) -> Statistics {
    let diskBytes = try interval.reading { transaction throws(StoreError) in
      try tables.diskBytes(transaction)
    }
    return Statistics(
      ids: count, memoryBytes: hot.value.active.memoryBytes + hot.value.fingerprints.memoryBytes,
      diskBytes: diskBytes)
  }

  func rollbackUnit() {
    hot.value.pending.removeLast(hot.value.active.count - hot.value.committedUnits)
    hot.value.active.cut(to: hot.value.committedUnits)
  }

  func flush(_ transaction: Transaction) throws {
    sealed = nil
    dropped = []
    let first = hot.value.active.count - hot.value.pending.count
    try tables.append(
      transaction, first: first, hashes: hot.value.active.hashes[first...],
      places: hot.value.pending)
    if interval.isCommitting && isFull && segments.count < Self.segmentsMax {
      try seal(transaction)
    }
    if interval.isCommitting { try dropOld(transaction) }
  }

  private var isFull: Bool {
    if sealing != nil { return true }
    return switch retention {
    case .forever: hot.value.active.count >= Self.segmentIDsMax
    case .count(let count):
      hot.value.active.count >= min(Self.segmentIDsMax, max(16, count / 8))
    case .age(let age):
      hot.value.active.count >= Self.segmentIDsMax
        || (hot.value.active.count >= 16
          && interval.words[maxTimeWord] - interval.words[minTimeWord] >= age / 8)
    }
  }

  private func seal(_ transaction: Transaction) throws(StoreError) {
    var records: [IDRecord] = []
    records.reserveCapacity(hot.value.active.count)
    try tables.forEachActive(transaction) { records.append($0) }
    IDRecord.sort(&records)
    // A flush that is repeated finds the words begun anew already.
    let (number, minTime, maxTime) =
      sealing ?? (words[nextWord], words[minTimeWord], words[maxTimeWord])
    let segment = IDSegment(
      number: Int(number), count: records.count, minTime: minTime, maxTime: maxTime)
    try tables.seal(transaction, segment, records)
    if !hot.value.fingerprints.hasRoom(for: records.count) {
      hot.value.fingerprints = try Self.load(tables, segments, room: records.count, transaction)
    }
    sealed = segment
    sealedHashes = records.map(\.hash)
    sealing = (number, minTime, maxTime)
    words[nextWord] = number + 1
    words[minTimeWord] = .max
    words[maxTimeWord] = .min
  }

  private func dropOld(_ transaction: Transaction) throws(StoreError) {
    var kept = segments
    if let sealed { kept.append(sealed) }
    var total = (sealed == nil ? hot.value.active.count : 0) + kept.reduce(0) { $0 + $1.count }
    while let oldest = kept.first {
      switch retention {
      case .forever: return
      case .count(let count): if total - oldest.count < count { return }
      case .age(let age): if oldest.maxTime >= interval.words[newestWord] - age { return }
      }
      try tables.delete(transaction, segment: oldest.number)
      dropped.append(oldest)
      total -= oldest.count
      kept.removeFirst()
    }
  }

  func dropCache() {
    hot.value.pending.empty()
  }

  func intervalCommitted() {
    if let sealed {
      for hash in sealedHashes {
        hot.value.fingerprints.insert(hash, segment: sealed.number % Self.segmentsMax)
      }
      segments.append(sealed)
      sealedHashes = []
      hot.value.active.removeAll()
    }
    for segment in dropped {
      hot.value.fingerprints.remove(segment: segment.number % Self.segmentsMax)
      segments.removeFirst()
    }
    sealed = nil
    sealing = nil
    dropped = []
    committed = hot.value.active.count
    hot.value.committedUnits = committed
  }

  func intervalAborted() {
    hot.value.active.cut(to: committed)
    hot.value.committedUnits = committed
    sealed = nil
    sealing = nil
    dropped = []
  }

  var dirtyBytes: Int { hot.value.pending.count * 80 }
}
