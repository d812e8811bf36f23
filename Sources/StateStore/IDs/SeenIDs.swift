package import StreamCore

/// The ids of the records a task has applied, of one scope, exact, by their 128-bit hashes.
///
/// An id may have several entries, each with the hash of its record's bytes. Which of them count is
/// decided at the look-up, by their number in the scope or their time: that what does not count any
/// more is deleted, and when, shows nowhere.
///
/// The newest ids are a small exact set; full, it is sorted and sealed into a segment on disk, and
/// four bytes an id stay in memory to say which segment may hold it. A look-up that finds nothing
/// there reads nothing. All of it is in the transaction of the state it guards.
package final class SeenIDs: StoreParticipant {
  /// How long an entry counts. A record repeated behind that is applied again.
  package enum Retention: Hashable, Sendable {
    case forever
    /// The newest so many entries of the scope.
    case count(Int)
    /// Entries made at a stream time at most so many milliseconds before the look-up's. Those made
    /// before there was one are as old as the first that had one.
    case age(milliseconds: Int64)
  }

  package struct Statistics: Hashable, Sendable {
    /// Entries, with those that do not count any more and are not deleted yet.
    package let ids: Int
    package let memoryBytes: Int
    package let diskBytes: Int
  }

  static let segmentIDsMax = 262_144
  /// A segment fills a page at least.
  private static let segmentIDsMin = 255
  /// A segment's number modulo this is part of each fingerprint.
  static let segmentsMax = 4096

  package let scope: String
  package let retention: Retention
  private let interval: Interval
  private let words: Words
  private let tables: IDTables
  private let index: Int32
  /// The number of the newest entry.
  private let lastWord: Int
  private let nextSegmentWord: Int
  /// Stream times of the first entry that had one, and of the newest; of scopes with a retention.
  private let firstTimeWord: Int
  private let newestTimeWord: Int

  private struct Hot: ~Copyable {
    var lastUnit = -1
    var active = ActiveIDs()
    /// Of the active ids, if there is a retention.
    var times: [Int64] = []
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
  /// The number of the segment that the interval's commit seals.
  private var sealing: Int64?
  private var dropped: [IDSegment] = []

  init(
    scope: String, retention: Retention, _ interval: Interval, index: Int
  ) throws(StoreError) {
    self.scope = scope
    self.retention = retention
    self.interval = interval
    self.words = interval.words
    self.index = Int32(index)
    self.tables = try IDTables(
      interval.environment, scope: try IDScopes.number(of: scope, interval.environment))
    self.lastWord = words.register("ids.last/\(scope)")
    self.nextSegmentWord = words.register("ids.nextSegment/\(scope)")
    if retention == .forever {
      (firstTimeWord, newestTimeWord) = (-1, -1)
    } else {
      firstTimeWord = words.register("ids.firstTime/\(scope)", initial: IDTime.none)
      newestTimeWord = words.register("ids.newestTime/\(scope)", initial: IDTime.none)
    }
    let read = try ReadTransaction(interval.environment)
    let transaction = read.operations
    segments = try tables.loadSegments(transaction)
    hot.value.fingerprints = try Self.load(tables, segments, room: 0, transaction)
    var loaded = ActiveIDs()
    var times: [Int64] = []
    let isTimed = retention != .forever
    try tables.forEachActive(transaction) {
      loaded.append($0.hash)
      if isTimed { times.append($0.time) }
    }
    committed = loaded.count
    hot.value.active = loaded
    hot.value.times = times
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

  // MARK: Looking up

  /// Tells that a look-up and perhaps an insertion follow.
  package func expect(_ hash: Hash128) { hot.value.active.prefetch(hash) }

  /// What is known of an id, in this interval or from earlier.
  ///
  /// - Parameters:
  ///   - valueHash: of the record's bytes; the lower half of it counts.
  ///   - streamTime: the task's, which this record has moved already.
  package func look(
    _ hash: Hash128, valueHash: UInt64, at streamTime: Timestamp?
  ) throws(StoreError) -> SeenAnswer {
    let now = streamTime?.milliseconds ?? IDTime.none
    var finding = Finding(valueHash: UInt32(truncatingIfNeeded: valueHash))
    try hot.value.active.forPositions(hash) { position throws(StoreError) in
      let number = words[lastWord] - Int64(hot.value.active.count - 1 - position)
      let time = hot.value.times.isEmpty ? IDTime.none : hot.value.times[position]
      if counts(number: number, time: time, at: now) {
        finding.add(try activePlace(position), from: .max)
      }
    }
    if finding.same != nil || segments.isEmpty { return finding.answer }
    var candidates: [Int] = []
    try hot.value.fingerprints.forCandidates(hash) { segment throws(StoreError) in
      let place = place(ofSegment: segment)
      if place < segments.count && !candidates.contains(place) { candidates.append(place) }
      return false
    }
    // The newest first: one with the same bytes is the answer.
    candidates.sort(by: >)
    for place in candidates where finding.same == nil {
      try look(in: segments[place], hash, at: now, &finding)
    }
    return finding.answer
  }

  private func activePlace(_ position: Int) throws(StoreError) -> IDPlace {
    let firstPending = hot.value.active.count - hot.value.pending.count
    if position >= firstPending { return hot.value.pending[position - firstPending] }
    return try interval.reading { transaction throws(StoreError) in
      try tables.activePlace(transaction, position)
    }
  }

  private func look(
    in segment: IDSegment, _ hash: Hash128, at now: Int64, _ finding: inout Finding
  ) throws(StoreError) {
    guard counts(number: segment.lastNumber, time: segment.maxTime, at: now) else { return }
    let isWhole =
      !segment.isOrdered || counts(number: segment.firstNumber, time: segment.minTime, at: now)
    var found = finding
    try interval.reading { transaction throws(StoreError) in
      let positions = try tables.positions(transaction, segment: segment.number, hash)
      for position in positions {
        if !isWhole {
          let order = try tables.order(transaction, segment: segment.number, position)
          let number = segment.firstNumber + order.position
          if !counts(number: number, time: order.time, at: now) { continue }
        }
        let place = try tables.place(transaction, segment: segment.number, position)
        found.add(place, from: segment.number)
      }
    }
    finding = found
  }

  /// The entries of an id that count, met segment by segment from the newest on, in each in order
  /// of arrival.
  private struct Finding {
    let valueHash: UInt32
    var same: SeenID?
    private var other: SeenID?
    private var otherSegment = 0

    init(valueHash: UInt32) { self.valueHash = valueHash }

    mutating func add(_ place: IDPlace, from segment: Int) {
      if place.valueHash == valueHash {
        same = place.seenID
      } else if other == nil || otherSegment == segment {
        (other, otherSegment) = (place.seenID, segment)
      }
    }

    var answer: SeenAnswer {
      if let same { return .duplicate(same) }
      return other.map { .conflict($0) } ?? .unseen
    }
  }

  /// Whether an entry is within the retention.
  private func counts(number: Int64, time: Int64, at now: Int64) -> Bool {
    switch retention {
    case .forever: return true
    case .count(let count): return words[lastWord] - number < Int64(count)
    case .age(let age):
      let time = effective(time)
      if time == IDTime.none || now == IDTime.none { return true }
      return IDTime.elapsed(from: time, to: now) <= age
    }
  }

  /// The time of an entry made before there was a stream time is the first that there was.
  private func effective(_ time: Int64) -> Int64 {
    time == IDTime.none && firstTimeWord >= 0 ? words[firstTimeWord] : time
  }

  /// Where a segment lies among those that are here, from the last 12 bits of its number.
  private func place(ofSegment segment: Int) -> Int {
    guard let first = segments.first?.number else { return 0 }
    return (segment - first % Self.segmentsMax + Self.segmentsMax) % Self.segmentsMax
  }

  // MARK: Inserting

  /// Adds an entry.
  ///
  /// - Parameters:
  ///   - offset: of the record in its partition.
  ///   - valueHash: of the record's bytes; its lower half is kept.
  ///   - streamTime: the task's.
  /// - Throws: ``StoreError`` at the limit of 4,096 segments, about 10^9 ids.
  package func insert(
    _ hash: Hash128, offset: Int64, valueHash: UInt64, streamTime: Timestamp?
  ) throws(StoreError) {
    if hot.value.active.count >= Self.segmentIDsMax && segments.count == Self.segmentsMax {
      throw StoreError(
        .failed,
        "\(count) ids are the limit of scope '\(scope)' in one task; give the ids a retention",
        store: "ids")
    }
    if interval.isFirstChange(of: index, &hot.value.lastUnit) {
      hot.value.committedUnits = hot.value.active.count
    }
    hot.value.active.append(hash)
    hot.value.pending.append(
      IDPlace(offset: offset, valueHash: UInt32(truncatingIfNeeded: valueHash)))
    words[lastWord] += 1
    if retention == .forever { return }
    let time = streamTime?.milliseconds ?? IDTime.none
    hot.value.times.append(time)
    if words[firstTimeWord] == IDTime.none { words[firstTimeWord] = time }
    if time > words[newestTimeWord] { words[newestTimeWord] = time }
  }

  /// Entries, with those that do not count any more and are not deleted yet.
  package var count: Int { hot.value.active.count + segments.reduce(0) { $0 + $1.count } }

  var memoryBytes: Int {
    hot.value.active.memoryBytes + hot.value.times.capacity * 8
      + hot.value.fingerprints.memoryBytes
  }

  func rollbackUnit() {
    let count = hot.value.active.count - hot.value.committedUnits
    hot.value.pending.removeLast(count)
    if retention != .forever { hot.value.times.removeLast(count) }
    hot.value.active.cut(to: hot.value.committedUnits)
  }

  // MARK: Committing

  func flush(_ transaction: Transaction) throws {
    sealed = nil
    dropped = []
    let first = hot.value.active.count - hot.value.pending.count
    if !hot.value.pending.isEmpty {
      try tables.append(
        transaction, first: first, hashes: hot.value.active.hashes[first...],
        places: hot.value.pending, times: hot.value.times.dropFirst(first))
    }
    guard interval.isCommitting else { return }
    if isFull && segments.count < Self.segmentsMax { try seal(transaction) }
    try dropOld(transaction)
  }

  private var isFull: Bool {
    if sealing != nil { return true }
    let count = hot.value.active.count
    switch retention {
    case .forever: return count >= Self.segmentIDsMax
    case .count(let kept):
      return count >= min(Self.segmentIDsMax, max(Self.segmentIDsMin, kept / 8))
    case .age(let age):
      if count >= Self.segmentIDsMax { return true }
      guard count >= Self.segmentIDsMin, let first = hot.value.times.first,
        let last = hot.value.times.last
      else { return false }
      return IDTime.elapsed(from: effective(first), to: effective(last)) >= age / 8
    }
  }

  private func seal(_ transaction: Transaction) throws(StoreError) {
    var records: [IDRecord] = []
    records.reserveCapacity(hot.value.active.count)
    try tables.forEachActive(transaction) { records.append($0) }
    let (first, last) = (records.first?.time, records.last?.time)
    IDRecord.sort(&records)
    // A flush that is repeated finds the word moved on already.
    let number = sealing ?? words[nextSegmentWord]
    let segment = IDSegment(
      number: Int(number), count: records.count,
      firstNumber: words[lastWord] - Int64(records.count) + 1, minTime: first ?? IDTime.none,
      maxTime: last ?? IDTime.none, isOrdered: retention != .forever)
    try tables.seal(transaction, segment, records)
    if !hot.value.fingerprints.hasRoom(for: records.count) {
      hot.value.fingerprints = try Self.load(tables, segments, room: records.count, transaction)
    }
    sealed = segment
    sealedHashes = records.map(\.hash)
    sealing = number
    words[nextSegmentWord] = number + 1
  }

  /// Deletes the segments of which no entry will count again: numbers and stream time only rise.
  private func dropOld(_ transaction: Transaction) throws(StoreError) {
    if retention == .forever { return }
    let now = words[newestTimeWord]
    for segment in segments + (sealed.map { [$0] } ?? []) {
      if counts(number: segment.lastNumber, time: segment.maxTime, at: now) { return }
      try tables.delete(transaction, segment: segment.number)
      dropped.append(segment)
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
      hot.value.times = []
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
    if retention != .forever { hot.value.times.removeLast(hot.value.times.count - committed) }
    hot.value.committedUnits = committed
    sealed = nil
    sealedHashes = []
    sealing = nil
    dropped = []
  }

  func releaseMemory() { hot.value.pending = [] }

  var intervalBytes: IntervalBytes {
    IntervalBytes(cached: hot.value.pending.count * 50, pages: hot.value.pending.count * 30)
  }
}
