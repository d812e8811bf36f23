import StateStore
import StreamCore

/// A partition of a log that a task reads: its position and what is buffered of it.
///
/// What is looked at for each record is not checked at run time for overlapping accesses: an input
/// belongs to its task's thread, and nothing here calls back while a variable is changed.
final class LogInput: InputPort {
  let topicPartition: TopicPartition
  let name: String
  let source: any SourceOperator
  /// Its place in the merge rule, by declaration of the sources.
  let order: Int
  /// How long it is waited for at its end.
  private let idle: Duration
  private let clock: any MonotonicClock
  /// When it was found at its end since its last record.
  private var idleSince: MonotonicTime?
  /// Where the next fetch begins: behind the last record taken, and past control records, aborted
  /// transactions and compacted offsets behind that.
  @exclusivity(unchecked) var position: Offset
  /// The log's read-committed end as asked after the last fetch; `nil` while unknown.
  var endOffset: Offset?
  /// The last record consumed: compared with the log's when reading resumes.
  @exclusivity(unchecked) var last: LastRecord?
  @exclusivity(unchecked) var lastUnit: Int64?
  /// The record before the position has not been compared yet.
  var awaitsCheck: Bool

  /// Where the last fetch ended: past what lies behind the last buffered record, too.
  private var fetched: Offset = 0
  private var knownHead: (batch: Int, cursor: Int, time: JudgedTime) = (-1, -1, .none)
  @exclusivity(unchecked) private var batches: [RecordBatch] = []
  @exclusivity(unchecked) private var head = 0
  /// The next record in the first batch.
  @exclusivity(unchecked) private(set) var cursor = 0
  /// Counts batches taken, to tell when the context must load another.
  @exclusivity(unchecked) private(set) var batchNumber = 0

  struct LastRecord: Hashable {
    let offset: Offset
    /// `Timestamp.unknown` where it has none; a record of that very time is taken for the same.
    let timestamp: Timestamp
    let valueHash: UInt64
  }

  /// Whether a commit of this state has its position. One that has not, of a state that has
  /// committed, was added: nothing but sinks can hang on it.
  let isKnown: Bool
  private let positions: Positions
  private let slot: Int
  /// Where a fresh state began: what a verification replays from.
  private(set) var start: Offset = 0
  /// Up to where records were passed over because the log had removed them; 0 if none ever were.
  private(set) var gap: Offset = 0

  init(
    _ topicPartition: TopicPartition, source: any SourceOperator, order: Int, idle: Duration,
    clock: any MonotonicClock, positions: Positions
  ) throws(StoreError) {
    self.topicPartition = topicPartition
    name = topicPartition.description
    self.source = source
    self.order = order
    self.idle = idle
    self.clock = clock
    self.positions = positions
    slot = try positions.register(name)
    isKnown = positions.isStored(slot)
    position = 0
    awaitsCheck = false
  }

  /// Takes what the last commit stored.
  func restore() {
    let stored = positions[slot]
    (position, start, gap) = (stored.position, stored.start, stored.gap)
    lastUnit = stored.lastUnit < 0 ? nil : stored.lastUnit
    last =
      stored.lastOffset < 0
      ? nil
      : LastRecord(
        offset: stored.lastOffset,
        timestamp: Timestamp(milliseconds: stored.lastTimestamp),
        valueHash: stored.lastHash)
    awaitsCheck = last != nil
    batches = []
    (head, cursor, endOffset, fetched, idleSince) = (0, 0, nil, position, nil)
    batchNumber += 1
  }

  /// Puts position and times where the commit takes them from, if they changed.
  func save() {
    var now = positions[slot]
    (now.position, now.start, now.gap, now.lastUnit) = (position, start, gap, lastUnit ?? -1)
    if let last {
      (now.lastOffset, now.lastHash) = (last.offset, last.valueHash)
      now.lastTimestamp = last.timestamp.milliseconds
    }
    if now != positions[slot] { positions[slot] = now }
  }

  /// Where reading resumes: at the last record consumed, so that it can be compared.
  var fetchPosition: Offset { awaitsCheck ? last?.offset ?? position : position }

  /// Goes on where the log still has records; the last one consumed is no longer there.
  func skip(to offset: Offset) {
    if offset > position { gap = offset }
    position = max(position, offset)
    fetched = position
    awaitsCheck = false
  }

  /// Begins a fresh input somewhere else than at 0.
  func begin(at offset: Offset) {
    position = offset
    fetched = offset
    start = offset
  }

  /// Records at or beyond it are not taken; `nil` takes all.
  @exclusivity(unchecked) var limit: Offset?
  /// It follows another state: without its limit reached it is not at its end.
  var isReplayed = false

  var hasRecord: Bool {
    guard head < batches.count else { return false }
    guard let limit else { return true }
    return batches[head].entries[cursor].offset < limit
  }

  /// The position is the limit, or nothing but later records and hidden offsets lies between.
  var hasReachedLimit: Bool {
    guard let limit else { return true }
    return position >= limit || (head < batches.count && !hasRecord)
  }

  /// Nothing is buffered, and the log's end as of the last fetch, or the limit, is reached.
  var isAtEnd: Bool {
    if hasRecord { return false }
    if limit != nil, hasReachedLimit { return true }
    return !isReplayed && head == batches.count && endOffset.map { position >= $0 } == true
  }

  // MARK: For the merge rule

  var standing: InputStanding {
    if hasRecord { return .head(headTime.order) }
    guard isAtEnd else { return .open(promise: nil) }
    return .ended(reached: .none, waitedForUntil: idleSince.map { $0 + idle })
  }

  var headPosition: Int64 { batches[head].entries[cursor].offset }

  /// What the next record's event time is to the engine, found once a record.
  var headTime: JudgedTime {
    if knownHead.batch != batchNumber || knownHead.cursor != cursor {
      let time = JudgedTime(
        source.eventTime(batches[head], cursor), logTime: batches[head].appendTime(of: cursor),
        maxAhead: source.policies.maxAhead)
      knownHead = (batchNumber, cursor, time)
    }
    return knownHead.time
  }

  /// As ``headTime`` where that is known or to be had without a look at the value; `nil` where it
  /// is found anyway once the record is read.
  var headTimeIfCheap: JudgedTime? {
    if source.readsEnvelopeForTime, knownHead.batch != batchNumber || knownHead.cursor != cursor,
      batches[head].entries[cursor].value != nil
    {
      return nil
    }
    return headTime
  }

  /// What an event time of the next record, found while it was read, is to the engine.
  func judge(_ time: Timestamp?) -> JudgedTime {
    JudgedTime(
      time, logTime: batches[head].appendTime(of: cursor), maxAhead: source.policies.maxAhead)
  }

  /// When the log took the next record.
  var headLogTime: Timestamp? { batches[head].appendTime(of: cursor) }

  /// Begins the time for which it is waited for at its end, or ends it.
  private func noteEnd() {
    guard idle > .zero else { return }
    // Nothing more comes of one at its limit.
    guard isAtEnd, limit == nil else {
      idleSince = nil
      return
    }
    if idleSince == nil { idleSince = clock.monotonicNow() }
  }

  // MARK: Records

  var batch: RecordBatch { batches[head] }

  /// Takes what was fetched; records that are behind it already are dropped.
  func offer(_ batch: RecordBatch) {
    endOffset = batch.endOffset
    let batch = batch.dropping(before: max(position, fetched))
    fetched = max(fetched, batch.nextOffset)
    if batch.count > 0 {
      batches.append(batch)
    } else if head == batches.count {
      position = max(position, fetched)
    }
    if batch.count > 0, batches.count == head + 1 { batchNumber += 1 }
    noteEnd()
  }

  /// The log was asked for its end by itself, after the last fetch; what a fetch said since counts.
  func noteEnd(_ end: Offset) {
    guard let known = endOffset else { return }
    endOffset = max(known, end)
    noteEnd()
  }

  /// Moves past the record at the cursor.
  func advance() {
    idleSince = nil
    cursor += 1
    if cursor < batches[head].count {
      position = batches[head].entries[cursor - 1].offset + 1
      return
    }
    let batch = batches[head]
    position = head + 1 == batches.count ? fetched : batch.nextOffset
    cursor = 0
    head += 1
    batchNumber += 1
    if head == batches.count {
      batches.removeAll(keepingCapacity: true)
      head = 0
    } else if head == 32 {
      batches.removeFirst(head)
      head = 0
    }
    noteEnd()
  }

  func remember(_ record: LastRecord) { last = record }
}

extension Timestamp {
  /// What a position has of a record without a timestamp.
  static let unknown = Timestamp(milliseconds: .min)
}

extension RecordBatch {
  /// The batch without its records before an offset.
  func dropping(before offset: Offset) -> RecordBatch {
    guard let first = entries.first, first.offset < offset else { return self }
    return dropping(first: entries.firstIndex { $0.offset >= offset } ?? entries.count)
  }
}
