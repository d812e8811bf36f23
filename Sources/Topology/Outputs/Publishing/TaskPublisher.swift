import StateStore
import StreamCore

/// Sends what one task's outbox holds, run by run; one thread at a time.
///
/// Where the log has transactions, one carries a bounded run of the outbox, the task's journal up to
/// it, and a checkpoint. Where it has none, records go at least once, under ids by which readers can
/// tell.
final class TaskPublisher {
  /// How far everything was sent, or will be once a run is.
  private struct Place {
    var sent: [String: Int64]
    /// Bytes of all entries up to those.
    var ends: [String: Int64] = [:]
    var reached: OutputInterval
    var isWhole: Bool
    var whole: OutputInterval
    var mark: Int64 = 0
  }

  private struct Entry {
    let topic: String
    let number: Int64
    let record: ProducerRecord
  }

  static let recordsMax = 2_000
  private static let bytesMax = 8 << 20

  let name: TaskName
  let progress: OutputProgress
  private let outbox: OutboxReader
  private let journalEntries: CommittedJournal
  private let durable: DurableCommits
  private let sender: Sender
  private let bytesMax: Int
  private let journalBytesMax: Int
  private var place: Place
  /// Up to where the task's journal was published.
  private var journalSent: Int64
  /// The last mark that is durable.
  private var durableMark: Int64 = 0
  /// Records of the next run: fewer while the log refuses one of them.
  private var limit = TaskPublisher.recordsMax

  /// What a run is handed to.
  enum Sender {
    case transactional(any TransactionalProducer, CheckpointLog, Checkpoint)
    case appending(any RecordAppender)
  }

  /// - Parameters:
  ///   - checkpoint: what was sent; of it the place is taken.
  ///   - journalSent: the task's journal up to this number was published.
  init(
    _ state: TaskState, of name: TaskName, _ sender: Sender, after checkpoint: Checkpoint,
    journalSent: Int64, appendBytesMax: Int
  ) {
    self.name = name
    self.sender = sender
    self.journalSent = journalSent
    outbox = state.outbox.reader
    journalEntries = state.journal.committed
    durable = state.durable
    bytesMax = min(Self.bytesMax, appendBytesMax / 2)
    journalBytesMax = min(1 << 20, appendBytesMax / 8)
    place = Place(
      sent: checkpoint.sent, reached: checkpoint.reached, isWhole: checkpoint.isWhole,
      whole: checkpoint.whole)
    progress = OutputProgress(OutputProgress.Cursor(sent: checkpoint.sent))
  }

  /// The largest record that may enter an outbox: no append of the log takes a larger one beside the
  /// checkpoint and the journal that go with it.
  static func entryBytesMax(on log: any RecordLog) -> Int {
    min(log.recordBytesMax, log.appendBytesMax / 4 * 3)
  }

  /// Makes what is committed durable; nothing else leaves.
  ///
  /// - Throws: ``StateStore/StoreError``.
  func advance() throws {
    let newest = try outbox.lastMark()
    guard newest > durableMark else { return }
    // A mark that was there before the sync is durable after it.
    try durable.sync()
    durableMark = newest
  }

  /// Sends the next run of what ``advance()`` made durable.
  ///
  /// - Returns: whether there was one.
  /// - Throws: ``StreamCore/LogError``: whether the run was sent, ``recover()`` finds out;
  ///   ``StateStore/StoreError``; ``TaskError`` with `.outputRefused`.
  func sendRun() throws -> Bool {
    var next = place
    let run = try nextRun(&next)
    progress.settle(next.sent)
    guard next.mark != place.mark || next.sent != place.sent else { return false }
    do {
      // What operators skipped or another start has sent needs no checkpoint.
      if !run.isEmpty { try send(run, next) }
    } catch let error as LogError where error.code == .recordRejected {
      guard run.count == 1 else {
        limit = max(1, run.count / 2)
        return true
      }
      throw refusal(of: run[0], error)
    }
    limit = min(Self.recordsMax, limit * 2)
    place = next
    progress.move(to: OutputProgress.Cursor(sent: place.sent, ends: place.ends, mark: place.mark))
    return true
  }

  private func nextRun(_ next: inout Place) throws -> [Entry] {
    var run: [Entry] = []
    var bytes = 0
    let page = 32
    while true {
      let marks = try outbox.marks(after: next.mark, limit: page)
      for mark in marks {
        if mark.number > durableMark { return run }
        let interval = try Self.interval(of: mark)
        for (topic, last) in mark.numbers.sorted(by: { $0.key < $1.key }) {
          guard try take(&run, &bytes, &next, topic, upTo: last) else {
            (next.reached, next.isWhole) = (interval, false)
            return run
          }
        }
        (next.reached, next.isWhole, next.whole) = (interval, true, interval)
        next.mark = mark.number
      }
      if marks.count < page { return run }
    }
  }

  /// Takes what a destination has up to a number.
  ///
  /// - Returns: whether all of it fits the run.
  private func take(
    _ run: inout [Entry], _ bytes: inout Int, _ next: inout Place, _ topic: String,
    upTo last: Int64
  ) throws -> Bool {
    while (next.sent[topic] ?? 0) < last {
      guard run.count < limit, bytes < bytesMax else { return false }
      let after = next.sent[topic] ?? 0
      let last = progress.take(of: topic, after: after, upTo: last)
      // It goes on once that is left out durably.
      guard last > after else { return false }
      let entries = try outbox.entries(
        to: topic, after: after, upTo: last, recordsMax: limit - run.count,
        bytesMax: bytesMax - bytes)
      // What is not kept was dropped when it was appended: it had been sent.
      guard let newest = entries.last?.number else {
        next.sent[topic] = last
        continue
      }
      let skipped = try outbox.skipped(topic, after: after, upTo: newest)
      // A decision that a power cut takes back would leave neither entry nor skip.
      if !skipped.isEmpty { try durable.sync() }
      for entry in entries {
        if !skipped.contains(entry.number) {
          let record = try Self.record(entry, topic)
          if !run.isEmpty, bytes + record.byteCount > bytesMax { return false }
          run.append(Entry(topic: topic, number: entry.number, record: record))
          bytes += record.byteCount
        }
        (next.sent[topic], next.ends[topic]) = (entry.number, entry.end)
      }
    }
    return true
  }

  private static func record(_ entry: Outbox.Entry, _ topic: String) throws -> ProducerRecord {
    do {
      return try OutboxRecord(entry.bytes).record
    } catch {
      throw StoreError(
        .corrupted, "entry \(entry.number) for '\(topic)' cannot be read: \(error)",
        store: "outbox")
    }
  }

  private static func interval(of mark: OutboxReader.Mark) throws -> OutputInterval {
    do {
      var interval = try OutputInterval(sealed: mark.sealed)
      interval.end.numbers = mark.numbers
      return interval
    } catch {
      throw StoreError(
        .corrupted, "mark \(mark.number) cannot be read: \(error)", store: "outbox")
    }
  }

  // MARK: Sending

  private func send(_ run: [Entry], _ next: Place) throws {
    switch sender {
    case .transactional(let producer, let journal, let start):
      var records = run.map { (topic: $0.topic, record: $0.record) }
      let (parts, sent) = try journalParts(upTo: next.reached.journalLast, producer, journal, start)
      records += parts
      var checkpoint = start
      (checkpoint.start, checkpoint.sent) = (nil, next.sent)
      (checkpoint.reached, checkpoint.isWhole) = (next.reached, next.isWhole)
      checkpoint.whole = next.whole
      records.append(journal.producerRecord(.checkpoint(checkpoint)))
      _ = try producer.commit(records)
      journalSent = sent
    case .appending(let appender):
      for topic in run.map(\.topic).uniqued() {
        let entries = run.filter { $0.topic == topic }
        _ = try appender.append(entries.map(\.record), to: topic)
        // Should the next topic's append fail, this one's is not repeated.
        place.sent[topic] = entries[entries.count - 1].number
      }
    }
  }

  /// The journal up to a number, as records for the transaction of what came of it; what is too
  /// much for one goes ahead.
  private func journalParts(
    upTo last: Int64, _ producer: any TransactionalProducer, _ journal: CheckpointLog,
    _ start: Checkpoint
  ) throws -> (records: [(topic: String, record: ProducerRecord)], upTo: Int64) {
    while true {
      let part = try journalEntries.entries(
        after: journalSent, upTo: last, limit: .max, bytesMax: journalBytesMax)
      guard let newest = part.last?.number else { return ([], max(journalSent, last)) }
      let record = journal.producerRecord(
        .journal(PublishedJournal(generation: start.generation, entries: part)))
      if newest == last { return ([record], last) }
      let rest = try journalEntries.entries(
        after: newest, upTo: last, limit: 1, bytesMax: journalBytesMax)
      if rest.isEmpty { return ([record], newest) }
      _ = try producer.commit([record])
      journalSent = newest
    }
  }

  /// After a failure of which nobody knows whether the run was sent: asks the journal topic.
  ///
  /// - Throws: ``StreamCore/LogError``.
  func recover() throws {
    guard case .transactional(_, let journal, let start) = sender,
      let last = try journal.last()?.checkpoint, last.start == nil,
      last.generation == start.generation, last.startOffset == start.startOffset
    else { return }
    for (topic, number) in last.sent { place.sent[topic] = max(place.sent[topic] ?? 0, number) }
    journalSent = max(journalSent, last.reached.journalLast)
  }

  private func refusal(of entry: Entry, _ error: LogError) -> TaskError {
    let id = OutboxEntryID(task: name, number: entry.number, destination: entry.topic)
    return TaskError(
      .outputRefused, nil, nil,
      "topic '\(entry.topic)' refuses entry \(entry.number) of the outbox of task \(name) for good: "
        + "\(error.message); correct the topic and start again, or drop the entry with "
        + "`outbox skip \(id)`")
  }

  /// Ends a wait for the log soon; what was not sent goes at the next start.
  var hurry: @Sendable () -> Void {
    guard case .appending(let appender) = sender else { return {} }
    return { appender.hurry() }
  }

  func close() {
    switch sender {
    case .transactional(let producer, _, _): producer.close()
    case .appending(let appender): appender.close()
    }
  }
}

extension CheckpointLog {
  func producerRecord(_ record: JournalTopicRecord) -> (topic: String, record: ProducerRecord) {
    (
      partition.topic,
      ProducerRecord(key: nil, value: record.encoded(), partition: partition.partition)
    )
  }
}

extension OutputInterval {
  /// As a mark of the outbox has it; numbers stand in the mark.
  func sealed() -> [UInt8] {
    var writer = EntryWriter()
    writer.append(end.units)
    writer.append(end.positions)
    writer.append(isDue ? 1 : 0)
    writer.append(journalLast)
    return writer.bytes
  }

  /// - Throws: ``StreamCore/SerdeError``.
  init(sealed bytes: [UInt8]) throws {
    var reader = EntryReader(bytes)
    self.init(
      end: Standing(units: try reader.number(), positions: try reader.offsets()),
      isDue: try reader.number() == 1, journalLast: try reader.number())
  }
}
