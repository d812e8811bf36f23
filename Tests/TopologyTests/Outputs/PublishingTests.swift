import StateStore
import StreamCore
import Synchronization
import Testing
import Topology
import TopologyTesting

/// What fits no append is found before it enters; what the log refuses stops its task by name; an
/// outage holds nothing up.
@Suite("Publishing")
struct PublishingTests {
  @Test("a record that the log would refuse fails its unit, at the limit and one beyond")
  func oversize() throws {
    let site = try OutputSite()
    let engine = try site.engine()
    try site.send(["x"])
    try engine.run(commitEvery: 1)
    let sent = try #require(try site.records("out").first)
    let size = ProducerRecord(key: sent.key, value: nil, headers: sent.headers).byteCount
    engine.close()
    site.log.limit(recordBytes: size + 300, appendBytes: 1 << 20)
    // The input's record has fewer headers than what is made of it, and the same key of two bytes.
    let key = 4 - (sent.key?.count ?? 0)
    try site.send([
      String(repeating: "a", count: 300 - key), String(repeating: "b", count: 301 - key),
    ])
    let limited = try site.engine()
    try limited.run(commitEvery: 10)
    #expect(limited.counters["deadLettered{produce}"] == 1)
    #expect(limited.counters["applied"] == 2)
    #expect(try site.values().map(\.count) == [1, 300 - key])
    limited.close()
  }

  @Test("a dead letter too large for its topic goes without its value and is kept whole")
  func largeDeadLetter() throws {
    let site = try OutputSite()
    site.log.limit(recordBytes: 1_000, appendBytes: 4_000)
    let topology = try OutputSite.topology(sinks: [], deadLetters: "dead")
    let value = "fails" + String(repeating: "x", count: 700)
    try site.send(["fails", value])
    let engine = try site.engine(topology)
    try engine.run(commitEvery: 1)
    let letters = try site.records("dead")
    #expect(letters.map { $0.value.map { String(decoding: $0, as: UTF8.self) } } == ["fails", nil])
    let omitted = letters.last?.headers.first { $0.name == "deadLetterValueOmitted" }?.value
    #expect(omitted.map { String(decoding: $0, as: UTF8.self) } == "705")
    #expect(try engine.deadLetters().last?.record.value == Array(value.utf8))
    engine.close()
  }

  @Test("a run of the outbox is bounded by bytes as by records")
  func largeRuns() throws {
    let site = try OutputSite()
    site.log.limit(recordBytes: 1_000, appendBytes: 8_000)
    let values = (0..<60).map { "\($0)" + String(repeating: "y", count: 500) }
    for value in values { try site.send([value]) }
    try site.run(commitEvery: 1_000)
    #expect(try site.values() == values)
  }

  @Test("an entry that the log refuses for good stops its task by name, and can be skipped")
  func refusedEntry() throws {
    let site = try OutputSite()
    let values = ["a", String(repeating: "b", count: 600), "c"]
    try site.send(values)
    site.log.fail(.transaction, call: 3, with: LogError(.unreachable, "away"))
    _ = site.code { try site.run(commitEvery: 10) }
    #expect(try site.values() == [])
    // The topic's limit was lowered below what waits.
    site.log.limit(recordBytes: 700, appendBytes: 5_000)
    let engine = try site.engine()
    let error = #expect(throws: TaskError.self) { try engine.run(commitEvery: 10) }
    #expect(error?.code == .outputRefused)
    let id = "in-0-2/out"
    for part in ["'out'", "entry 2", "outbox skip \(id)"] {
      #expect(error?.message.contains(part) == true)
    }
    engine.close()
    #expect(try site.values() == ["a"])
    let state = try StateReader.open("\(site.root)/s/copies/000001/in-0")
    let listed = try OutboxEntrySummary.list(state, limit: 10)
    #expect(listed.map(\.id.description).contains(id))
    let owner = try TopologyOwner(
      try OutputSite.topology(), stateRoot: "\(site.root)/s", log: site.log, options: RunOptions(),
      clock: VirtualClock(), report: { _ in })
    try owner.directory.setCurrent(1)
    func ask(_ ids: String) throws -> Reply.Outcome {
      let request = Request(id: "r", verb: TopologyOwner.outboxSkip, arguments: ["ids": ids])
      return try owner.carryOut(request).outcome
    }
    #expect(try ask("nonsense") == .failed)
    #expect(try ask("in-0-99/out") == .refused)
    #expect(try ask(id) == .done)
    let again = try site.engine()
    let entry = try #require(OutboxEntryID(parsing: id))
    #expect(try again.skipOutboxEntries([entry, entry]) == [entry, entry])
    #expect(
      try again.skipOutboxEntries([OutboxEntryID(task: entry.task, number: 99, destination: "out")])
        == [])
    try again.run(commitEvery: 10)
    again.close()
    #expect(try site.values() == ["a", "c"])
    try site.send(["d"])
    try site.run()
    #expect(try site.values() == ["a", "c", "d"])
  }

  @Test("a record that fits no append beside its checkpoint fails its unit")
  func largestAppend() throws {
    let site = try OutputSite()
    site.log.limit(recordBytes: 4_000, appendBytes: 4_000)
    try site.send(["a", String(repeating: "b", count: 3_500), "c"])
    let engine = try site.engine()
    defer { engine.close() }
    try engine.run(commitEvery: 10)
    #expect(engine.counters["deadLettered{produce}"] == 1)
    #expect(try site.values() == ["a", "c"])
  }

  @Test("an entry is left out while the process runs, unless it was handed over; journalled, once")
  func skippedWhileRunning() throws {
    let site = try OutputSite()
    let log = ForgetfulLog(site.log)
    let reports = Mutex<[String]>([])
    let topology = try OutputSite.topology()
    let owner = try TopologyOwner(
      topology, stateRoot: "\(site.root)/s", log: log, options: RunOptions(),
      clock: VirtualClock(), report: { text in reports.withLock { $0.append(text) } })
    try site.send(0..<1)
    let running = Background { try owner.run(untilEnd: false) }
    while try site.values().count < 1, !running.hasEnded {}
    log.goAway()
    try site.send(1..<6_000)
    let path = "\(site.root)/s/copies/000001/in-0"
    while try StateReader.open(path).read({ try $0.position(in: "in-0")?.position }) != 6_000,
      !running.hasEnded
    {}
    // A run was handed over, of which nobody knows whether it was taken.
    while !reports.withLock({ $0.contains { $0.contains("outputs wait") } }), !running.hasEnded {}
    let queue = RequestQueue(owner.directory)
    func ask(_ id: String, _ ids: String) throws -> Reply? {
      try running.answer(
        queue.submit(
          Request(id: id, verb: TopologyOwner.outboxSkip, arguments: ["ids": ids])))
    }
    #expect(try ask("early", "in-0-2/out")?.outcome == .refused)
    #expect(try ask("late", "in-0-5000/out,in-0-5000/out") == Reply(.done, "skipped 1 of 1"))
    #expect(try ask("late", "in-0-5000/out") == Reply(.done, "carried out before"))
    #expect(try ask("beyond", "in-0-6001/out")?.outcome == .refused)
    #expect(try ask("foreign", "other-0-1/out")?.outcome == .refused)
    #expect(try ask("nonsense", "nonsense")?.outcome == .failed)
    log.comeBack()
    while try site.values().count < 5_999, !running.hasEnded {}
    owner.stop()
    try running.join()
    #expect(try site.values() == OutputSite.values(0..<4_999) + OutputSite.values(5_000..<6_000))
    let journal = try StateReader.open(path).read { try $0.journal() }.map {
      try JournalEntry($0).content
    }
    #expect(journal.count == 1 && journal.allSatisfy { $0.beginsUnit })
    let comparisons = try StateVerification(
      topology, owner.directory, log: site.log, options: RunOptions(), clock: VirtualClock(),
      canonical: { $0 }
    ).run()
    #expect(comparisons.map(\.isEqual) == [true])
  }

  /// A transaction whose answer is lost may have been taken.
  @Test("a run of which nobody knows whether it was sent is asked for, not repeated")
  func lostAnswer() throws {
    let site = try OutputSite()
    try site.send(0..<3)
    let log = ForgetfulLog(site.log)
    var options = RunOptions()
    options.threads = 1
    let reports = Mutex<[String]>([])
    let owner = try TopologyOwner(
      try OutputSite.topology(), stateRoot: "\(site.root)/s", log: log, options: options,
      clock: VirtualClock(), report: { text in reports.withLock { $0.append(text) } })
    log.forgetNext()
    try owner.run(untilEnd: true)
    #expect(try site.values() == OutputSite.values(0..<3))
    let said = reports.withLock { $0 }
    #expect(said.count { $0.contains("outputs wait in the outbox") } == 1)
    #expect(said.contains("outputs are sent again"))
  }

  @Test("an outage is reported once, holds no loop up, and a stop cuts it short")
  func outage() throws {
    let site = try OutputSite()
    let log = ForgetfulLog(site.log)
    let reports = Mutex<[String]>([])
    let owner = try TopologyOwner(
      try OutputSite.topology(), stateRoot: "\(site.root)/s", log: log, options: RunOptions(),
      clock: VirtualClock(), report: { text in reports.withLock { $0.append(text) } })
    try site.send(0..<1)
    let running = Background { try owner.run(untilEnd: false) }
    while try site.values().count < 1, !running.hasEnded {}
    log.goAway()
    try site.send(1..<500)
    // Views go on meanwhile.
    let path = "\(site.root)/s/copies/000001/in-0"
    while try StateReader.open(path).read({ try $0.position(in: "in-0")?.position }) != 500,
      !running.hasEnded
    {}
    #expect(try site.values().count == 1)
    let begin = ContinuousClock.now
    owner.stop()
    try running.join()
    #expect(ContinuousClock.now - begin < .seconds(20))
    #expect(reports.withLock { $0.count { $0.contains("outputs wait in the outbox") } } == 1)
    try site.run()
    #expect(try site.values() == OutputSite.values(0..<500))
  }
}

/// A simulated log whose producers may lose answers, or find nobody.
private final class ForgetfulLog: RecordLog, TransactionalAppends {
  private let log: SimulatedLog
  private let state = Mutex((forgets: false, isAway: false))

  init(_ log: SimulatedLog) { self.log = log }

  /// The next transaction with outputs is taken, and its answer is lost.
  func forgetNext() { state.withLock { $0.forgets = true } }
  func goAway() { state.withLock { $0.isAway = true } }
  func comeBack() { state.withLock { $0.isAway = false } }

  var url: String { log.url }
  var recordBytesMax: Int { log.recordBytesMax }
  var appendBytesMax: Int { log.appendBytesMax }
  func topics() throws(LogError) -> [TopicDescription] { try log.topics() }
  func topic(_ name: String) throws(LogError) -> TopicDescription? { try log.topic(name) }
  func offsets(of place: TopicPartition) throws(LogError) -> Range<Offset> {
    try log.offsets(of: place)
  }
  func offset(of place: TopicPartition, at time: Timestamp) throws(LogError) -> Offset? {
    try log.offset(of: place, at: time)
  }
  func makeReader(_ options: ReaderOptions) throws(LogError) -> any RecordReader {
    try log.makeReader(options)
  }
  func makeAppender() throws(LogError) -> any RecordAppender { try log.makeAppender() }
  var administration: (any TopicAdministration)? { log.administration }
  var groupOffsets: (any GroupOffsets)? { nil }
  var idempotentAppends: (any IdempotentAppends)? { nil }
  var expectedSequenceAppends: (any ExpectedSequenceAppends)? { nil }
  var transactions: (any TransactionalAppends)? { self }
  func close() {}

  func makeProducer(transactionalID: String) throws(LogError) -> any TransactionalProducer {
    guard let transactions = log.transactions else { throw LogError(.unsupported, "none") }
    return Producer(self, try transactions.makeProducer(transactionalID: transactionalID))
  }

  private final class Producer: TransactionalProducer {
    private let log: ForgetfulLog
    private let producer: any TransactionalProducer

    init(_ log: ForgetfulLog, _ producer: any TransactionalProducer) {
      self.log = log
      self.producer = producer
    }

    func commit(
      _ records: [(topic: String, record: ProducerRecord)]
    ) throws(LogError) -> [AppendResult] {
      if log.state.withLock({ $0.isAway }) { throw LogError(.unreachable, "nobody is there") }
      let results = try producer.commit(records)
      let isForgotten = log.state.withLock { state in
        defer { if records.count > 1 { state.forgets = false } }
        return state.forgets && records.count > 1
      }
      if isForgotten { throw LogError(.unreachable, "the answer was lost") }
      return results
    }

    func close() { producer.close() }
  }
}
