import StateStore
import StreamCore

/// Sends what one task's outbox holds, once it is durable, and remembers how far it came.
///
/// Where the log has transactions, a transaction carries a run of the outbox and, in the task's
/// partition of its journal topic, a record that says up to which numbers; after a restart it decides
/// what is still to be sent, so that nothing is sent twice. Where it has none, records go at least
/// once, under ids by which readers can tell.
package final class OutboxPublisher {
  private let outbox: Outbox
  private let words: Words
  private let destinations: [String]
  private let numbers: [Int]
  private let slots: [Int]
  private let journal: TopicPartition
  private let generation: Int
  private let producer: (any TransactionalProducer)?
  private let appender: (any RecordAppender)?
  /// Last number sent, by destination.
  private(set) var sent: [Int64]
  private let recordsMax = 2_000
  /// Waits for a log that cannot be reached; says whether to go on. `nil`: what happened is thrown.
  var waitForLog: (@Sendable (LogError) -> Bool)?
  private var gaveUp = false

  /// - Throws: ``StreamCore/LogError``.
  init(
    _ state: TaskState, of task: TaskName, topology: String, destinations: [String],
    log: any RecordLog
  ) throws {
    outbox = state.outbox
    words = state.words
    journal = TopicPartition(Self.journalTopic(of: topology, task.subTopology), task.partition)
    generation = state.identity.generation
    self.destinations = destinations
    numbers = destinations.map { [outbox] in outbox.destination($0) }
    slots = destinations.map { [words] in words.register("published/\($0)") }
    sent = slots.map { [words] in words[$0] }
    if let transactions = log.transactions {
      producer = try transactions.makeProducer(
        transactionalID: "\(topology)-\(task)")
      appender = nil
      if let last = try PublishedMark.last(in: journal, of: log), last.generation == generation {
        for (index, destination) in destinations.enumerated() {
          sent[index] = max(sent[index], last.numbers[destination] ?? 0)
        }
      }
    } else {
      producer = nil
      appender = try log.makeAppender()
    }
  }

  /// Holds a record for every run that the tasks of a sub-topology sent, each in its own partition.
  static func journalTopic(of topology: String, _ subTopology: String) -> String {
    "\(topology)-journal-\(subTopology)"
  }

  /// Whether the committed outbox holds anything that was not sent.
  var isPending: Bool {
    destinations.indices.contains { outbox.lastNumber(numbers[$0]) > sent[$0] }
  }

  /// Ends a wait for the log soon; what was not sent goes at the next start.
  var hurry: @Sendable () -> Void {
    guard let appender else { return {} }
    return { appender.hurry() }
  }

  /// Sends everything up to what the last commit made durable.
  ///
  /// - Throws: ``StreamCore/LogError`` or ``StateStore/StoreError``.
  func publish() throws {
    while isPending, !gaveUp {
      var run: [(topic: String, record: ProducerRecord)] = []
      var upTo = sent
      for (index, destination) in destinations.enumerated() where run.count < recordsMax {
        for entry in try outbox.read(
          numbers[index], after: sent[index], limit: recordsMax - run.count)
        {
          run.append((destination, try OutboxRecord(entry.bytes).record))
          upTo[index] = entry.number
        }
      }
      guard !run.isEmpty else { return }
      do {
        try send(run, upTo)
        sent = upTo
      } catch let error as LogError where error.code == .unreachable {
        guard let waitForLog else { throw error }
        gaveUp = !waitForLog(error)
      }
    }
  }

  private func send(_ run: [(topic: String, record: ProducerRecord)], _ upTo: [Int64]) throws {
    if let producer {
      let mark = PublishedMark(
        generation: generation,
        numbers: Dictionary(zip(destinations, upTo), uniquingKeysWith: { _, last in last }))
      let marked = run + [(journal.topic, mark.record(partition: journal.partition))]
      _ = try producer.commit(marked)
    } else if let appender {
      for (topic, records) in Self.byTopic(run) {
        _ = try appender.append(records, to: topic)
        // Should the next topic's append fail, this one's is not repeated.
        if let index = destinations.firstIndex(of: topic) { sent[index] = upTo[index] }
      }
    }
  }

  /// Records in the journal topic that this generation goes on from what its outbox holds.
  ///
  /// - Throws: ``StreamCore/LogError``.
  func recordPosition() throws {
    guard let producer else { return }
    sent = numbers.map { [outbox] in outbox.lastNumber($0) }
    let mark = PublishedMark(
      generation: generation,
      numbers: Dictionary(zip(destinations, sent), uniquingKeysWith: { _, last in last }))
    _ = try producer.commit([(journal.topic, mark.record(partition: journal.partition))])
  }

  /// Inside the next interval: remembers what was sent and lets the outbox forget it.
  func trim() throws {
    for (index, destination) in numbers.enumerated()
    where words[slots[index]] != sent[index] {
      words[slots[index]] = sent[index]
      try outbox.trim(destination, upTo: sent[index])
    }
  }

  /// Whether ``trim()`` has something to do.
  var canTrim: Bool {
    slots.indices.contains { words[slots[$0]] != sent[$0] }
  }

  func close() {
    producer?.close()
    appender?.close()
  }

  private static func byTopic(_ run: [(topic: String, record: ProducerRecord)])
    -> [(String, [ProducerRecord])]
  {
    run.map(\.topic).uniqued().map { topic in
      (topic, run.filter { $0.topic == topic }.map(\.record))
    }
  }
}

/// How far a task's outbox was sent, as the last record of its partition of its journal
/// topic.
struct PublishedMark: Hashable {
  var ownerEpoch = 1
  let generation: Int
  /// Last number by destination.
  let numbers: [String: Int64]

  func record(partition: Int) -> ProducerRecord {
    var writer = EntryWriter()
    writer.append(1)
    writer.append(Int64(ownerEpoch))
    writer.append(Int64(generation))
    writer.append(Int64(numbers.count))
    for (destination, number) in numbers.sorted(by: { $0.key < $1.key }) {
      writer.append(destination)
      writer.append(number)
    }
    return ProducerRecord(key: nil, value: writer.bytes, partition: partition)
  }

  init(generation: Int, numbers: [String: Int64]) {
    self.generation = generation
    self.numbers = numbers
  }

  /// - Throws: ``StreamCore/SerdeError`` for bytes that are no mark.
  init(_ bytes: [UInt8]) throws {
    var reader = EntryReader(bytes)
    guard try reader.number() == 1 else {
      throw SerdeError("the journal topic was written by a newer version")
    }
    ownerEpoch = Int(try reader.number())
    generation = Int(try reader.number())
    var numbers: [String: Int64] = [:]
    for _ in 0..<(try reader.number()) {
      let destination = try reader.text()
      numbers[destination] = try reader.number()
    }
    self.numbers = numbers
  }

  /// The newest mark of a journal partition.
  ///
  /// - Throws: ``StreamCore/LogError``.
  static func last(in journal: TopicPartition, of log: any RecordLog) throws -> PublishedMark? {
    let offsets = try log.offsets(of: journal)
    guard !offsets.isEmpty else { return nil }
    let reader = try log.makeReader(ReaderOptions())
    defer { reader.close() }
    // A task's own marks are the only records, but the last offsets may be those of transaction
    // markers and of aborted transactions: look further back until there is one.
    var distance: Offset = 10
    while true {
      let start = max(offsets.lowerBound, offsets.upperBound - distance)
      try reader.assign([journal: start])
      let mark = try newest(reader, before: offsets.upperBound)
      if mark != nil || start == offsets.lowerBound { return mark }
      distance *= 10
    }
  }

  private static func newest(_ reader: any RecordReader, before end: Offset) throws
    -> PublishedMark?
  {
    var mark: PublishedMark?
    while true {
      for batch in try reader.poll(timeout: .seconds(5)) {
        for entry in batch.entries {
          if let value = entry.value { mark = try PublishedMark(Array(batch.bytes[value])) }
        }
        if batch.nextOffset >= end { return mark }
      }
    }
  }
}
