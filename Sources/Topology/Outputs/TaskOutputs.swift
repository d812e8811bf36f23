package import StateStore
package import StreamCore

/// The outputs of one task, as the thread knows them that owns its state.
///
/// ``open(_:_:)`` decides how they begin and changes nothing. Where ``catchUp`` says so, the task runs
/// in silence first. ``start()`` then writes the start's checkpoint, and what the task commits is
/// published from there on: ``note()`` after each commit, ``trim()`` inside a later interval.
package final class TaskOutputs {
  /// What the outputs of all tasks of a run have in common.
  package struct Setting: Sendable {
    package var topology: String
    package var log: any RecordLog
    package var choice: OutputChoice?
    /// The topology has journal topics of sub-topologies that it lacks now.
    package var hasOtherJournals = false
    package var bound = OutboxBound()
    package var report: @Sendable (String) -> Void

    package init(
      topology: String, log: any RecordLog, choice: OutputChoice? = nil,
      report: @escaping @Sendable (String) -> Void
    ) {
      self.topology = topology
      self.log = log
      self.choice = choice
      self.report = report
    }
  }

  /// What a state says of itself besides its outbox.
  package struct Subject {
    package var state: TaskState
    package var name: TaskName
    package var standing: Standing
    package var begun: [TopicPartition: Offset]
    /// `nil` where the operators are not known: the checkpoint before says it.
    package var lineage: Hash128?
    /// Topics it may send to.
    package var destinations: [String]

    package init(
      state: TaskState, name: TaskName, standing: Standing, begun: [TopicPartition: Offset],
      lineage: Hash128?, destinations: [String]
    ) {
      self.state = state
      self.name = name
      self.standing = standing
      self.begun = begun
      self.lineage = lineage
      self.destinations = destinations
    }
  }

  package let name: TaskName
  private let setting: Setting
  private var subject: Subject
  private let journal: CheckpointLog
  private var kept: OutputsNote
  /// `nil` where the log has no transactions, so that there are no checkpoints.
  private var decision: OutputDecision?
  private(set) var publisher: TaskPublisher?
  private var trimmedVersion = 0
  private var trimmedAt = ContinuousClock.now
  private var onNote: @Sendable () -> Void = {}
  /// A run was handed over of which nobody knows whether it was sent.
  var mustRecover = false

  private init(_ subject: Subject, _ setting: Setting) throws {
    self.subject = subject
    self.setting = setting
    name = subject.name
    journal = Self.journal(of: subject.name, setting)
    kept = try OutputsNote(subject.state.outbox.note, directory: subject.state.directory)
  }

  private static func journal(of task: TaskName, _ setting: Setting) -> CheckpointLog {
    CheckpointLog(
      log: setting.log,
      partition: TopicPartition(
        CheckpointLog.topic(of: setting.topology, task.subTopology), task.partition),
      report: setting.report)
  }

  /// Refuses a task without state where ``open(_:_:)`` would.
  ///
  /// - Parameter sends: whether it sends something now.
  /// - Throws: ``StateStore/StoreError`` with `.foreign`; ``StreamCore/LogError``.
  static func checkFresh(_ task: TaskName, sends: Bool, _ setting: Setting) throws {
    let journal = journal(of: task, setting)
    guard try sends || journal.last() != nil else { return }
    _ = try OutputStart.decide(
      OutputFacts(
        task: task, note: OutputsNote(), standing: Standing(), begun: [:], lineage: .zero,
        journalLast: 0),
      in: journal, choice: setting.choice, hasOtherJournals: setting.hasOtherJournals)
  }

  /// Whether a task has outputs: it sends something, or did.
  ///
  /// - Throws: ``StreamCore/LogError``; ``StateStore/StoreError``.
  static func concern(_ subject: Subject, _ setting: Setting) throws -> Bool {
    if !subject.destinations.isEmpty { return true }
    guard setting.log.transactions != nil else { return false }
    return try subject.state.outbox.note != nil || journal(of: subject.name, setting).last() != nil
  }

  /// Decides how the outputs of a task begin.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.foreign` where the operator must choose;
  ///   ``StreamCore/LogError``. Nothing was changed.
  package static func open(_ subject: Subject, _ setting: Setting) throws -> TaskOutputs {
    let outputs = try TaskOutputs(subject, setting)
    if setting.log.transactions != nil {
      outputs.decision = try outputs.decide(setting.choice)
    }
    return outputs
  }

  private func decide(_ choice: OutputChoice?) throws -> OutputDecision {
    try OutputStart.decide(
      OutputFacts(
        task: name, note: kept, standing: subject.standing, begun: subject.begun,
        lineage: subject.lineage ?? .zero, journalLast: subject.state.journal.lastNumber),
      in: journal, choice: choice, hasOtherJournals: setting.hasOtherJournals)
  }

  // MARK: Catching up

  /// The way that the task has to go in silence before ``start()``.
  package var catchUp: CatchUp? {
    if case .catchUp(let catchUp) = decision?.start { catchUp } else { nil }
  }

  /// Makes durable what was decided, before the first record is taken on the way.
  ///
  /// - Throws: ``StateStore/StoreError``.
  package func beginCatchUp() throws {
    guard let decision else { return }
    try claim(
      decision.note,
      begins: Dictionary(decision.begins.map { ($0, 0) }, uniquingKeysWith: { first, _ in first }))
  }

  /// Lets a task's outbox keep nothing that was sent.
  package static func silence(_ state: TaskState, on way: CatchUp) {
    let outbox = state.outbox
    for (index, name) in outbox.destinations.enumerated() {
      guard let checkpoint = way.checkpoint else {
        outbox.keep(index, after: .max)
        continue
      }
      // One that the state lacks begins where the way ends.
      if outbox.lastNumber(index) == nil || !way.counts(name) {
        outbox.mute(index)
      } else {
        outbox.keep(index, after: checkpoint.sent[name] ?? 0)
      }
    }
  }

  /// Lets a task's outbox count what is appended, and keep none of it.
  package static func silence(_ state: TaskState) {
    for index in state.outbox.destinations.indices { state.outbox.keep(index, after: .max) }
  }

  /// Inside an interval on the way, before its commit: keeps the start that the task has come to,
  /// and the numbers that destinations had there.
  ///
  /// - Parameter counted: topics whose numbers the task finds by itself, if the way counts them.
  package static func pass(
    _ way: CatchUp, _ state: TaskState, at standing: Standing, counted: [String]
  ) throws {
    func advance(to numbers: [String: Int64]) {
      for (index, name) in state.outbox.destinations.enumerated() {
        if way.counts(name), counted.contains(name) { continue }
        if let number = numbers[name] { state.outbox.advance(index, to: number) }
      }
    }
    if let end = way.checkpoint?.reached.end, end.units == standing.units {
      advance(to: end.numbers)
    }
    guard let passed = way.starts.last(where: { $0.state.units <= standing.units }) else { return }
    if passed.state.units == standing.units { advance(to: passed.state.numbers) }
    var note = try OutputsNote(state.outbox.note, directory: state.directory)
    guard passed.offset > note.start ?? -1 || note.isSought else { return }
    (note.start, note.isSought) = (passed.offset, false)
    state.outbox.setNote(note.encoded())
  }

  /// Compares where a task has come to with the checkpoint that it was to come to.
  ///
  /// - Throws: ``TaskError`` with `.diverged`.
  package static func check(_ way: CatchUp, _ name: TaskName, at standing: Standing) throws {
    guard OutputStart.hasReached(way.limits, standing) else {
      throw TaskError(
        .diverged, nil, nil,
        "the log ends before what task \(name) has sent (\(way.limits), reached "
          + "\(standing.positions)); check --log and --state")
    }
    guard let reached = way.checkpoint?.reached.end else { return }
    let numbers = reached.numbers.filter { standing.numbers[$0.key] != nil }
    guard standing.units == reached.units,
      numbers.allSatisfy({ standing.numbers[$0.key] == $0.value })
    else {
      throw TaskError(
        .diverged, nil, nil,
        "task \(name) followed what was published and came to \(standing.units) units and outputs "
          + "\(standing.numbers), not to \(reached.units) and \(reached.numbers): state, log and "
          + "program are not those that sent them; rebuild, or choose --outputs")
    }
  }

  // MARK: Starting

  /// Takes the task's outputs over from older holders and writes the start's checkpoint.
  ///
  /// The next commit keeps its offset; until then the state is known by standing where it stood.
  ///
  /// - Throws: ``StreamCore/LogError``; ``StateStore/StoreError``.
  package func start() throws {
    let topics = subject.destinations
    for topic in topics { _ = subject.state.outbox.destination(topic) }
    guard let decision else {
      if setting.choice == OutputChoice.none { return keepQuiet() }
      return try startAppending()
    }
    guard let transactions = setting.log.transactions else {
      preconditionFailure("only a log with transactions has checkpoints to decide by")
    }
    switch decision.start {
    case .quiet: return keepQuiet()
    case .catchUp: preconditionFailure("the task has not come to the last checkpoint")
    case .begin, .goOn: break
    }
    let end = try journal.end()
    let before = try checkpoint(of: decision)
    let producer = try transactions.makeProducer(
      transactionalID: "\(journal.partition)")
    do {
      try write(try settled(before, decision, since: end), by: producer)
    } catch {
      producer.close()
      throw error
    }
  }

  /// What an older holder wrote before it was fenced counts too.
  private func settled(
    _ before: Checkpoint, _ decision: OutputDecision, since end: Offset
  ) throws -> Checkpoint {
    guard try journal.end() != end else { return before }
    switch try decide(nil).start {
    case .goOn(let last) where !kept.takesNewGeneration: return try prepared(last)
    case .begin: return before
    default:
      throw LogError(
        .fenced,
        "another process sent outputs of task \(name) meanwhile; stop it, then start again")
    }
  }

  /// The checkpoint to start from, once the state says durably that it does.
  private func checkpoint(of decision: OutputDecision) throws -> Checkpoint {
    switch decision.start {
    case .goOn(let last):
      guard kept.takesNewGeneration || decision.note.takesNewGeneration else {
        return try prepared(last)
      }
      var claimed = OutputsNote()
      claimed.generation = last.generation + 1
      claimed.start = try journal.end()
      claimed.isSought = true
      try claim(claimed, begins: begins(last.sent))
      var first = last
      first.generation = claimed.generation
      return first
    case .begin(let generation):
      var claimed = decision.note
      claimed.generation = generation
      if !claimed.isSought { (claimed.start, claimed.isSought) = (try journal.end(), true) }
      try claim(claimed, begins: begins([:]))
      return first(generation)
    default: preconditionFailure("nothing starts in silence")
    }
  }

  private func prepared(_ last: Checkpoint) throws -> Checkpoint {
    try claim(kept, begins: begins(last.sent))
    var checkpoint = last
    checkpoint.sent = last.sent.merging(trimmed, uniquingKeysWith: max)
    return checkpoint
  }

  /// The first checkpoint of a generation: what the state itself knows.
  private func first(_ generation: Int64) -> Checkpoint {
    let outbox = subject.state.outbox
    let isSent = outbox.destinations.indices.allSatisfy { outbox.pendingCount($0) == 0 }
    // Of what waits nobody knows which interval it is of: nothing counts as sent then.
    let reached =
      isSent
      ? OutputInterval(end: subject.standing, journalLast: subject.state.journal.lastNumber)
      : OutputInterval(end: Standing(positions: subject.begun))
    return Checkpoint(
      generation: generation, lineage: subject.lineage ?? .zero, start: nil, startOffset: -1,
      sent: trimmed, reached: reached, isWhole: true, whole: reached)
  }

  /// What is gone from the outbox was sent.
  private var trimmed: [String: Int64] {
    let outbox = subject.state.outbox
    var numbers: [String: Int64] = [:]
    for (index, name) in outbox.destinations.enumerated() where outbox.lastNumber(index) != nil {
      numbers[name] = outbox.trimmed(index)
    }
    return numbers
  }

  /// Where destinations begin that have not: behind what was sent to them.
  private func begins(_ sent: [String: Int64]) -> [String: Int64] {
    var begins: [String: Int64] = [:]
    let outbox = subject.state.outbox
    for name in Set(sent.keys).union(subject.destinations) {
      if outbox.lastNumber(outbox.destination(name)) == nil { begins[name] = sent[name] ?? 0 }
    }
    return begins
  }

  /// Commits a note, and destinations that begin; durable when it returns.
  private func claim(_ new: OutputsNote, begins: [String: Int64]) throws {
    let state = subject.state
    let bytes = new.encoded()
    guard bytes != state.outbox.note || !begins.isEmpty else { return }
    for name in begins.keys { _ = state.outbox.destination(name) }
    try state.begin()
    do {
      for (name, number) in begins {
        state.outbox.begin(state.outbox.destination(name), at: number)
      }
      state.outbox.setNote(bytes)
      state.commitUnit()
      try state.commit()
      try state.makeDurable()
    } catch {
      state.abort()
      throw error
    }
    kept = new
    subject.standing.numbers = state.outbox.numbers
  }

  private func write(_ before: Checkpoint, by producer: any TransactionalProducer) throws {
    var checkpoint = before
    checkpoint.start = Checkpoint.Start(state: subject.standing, begun: subject.begun)
    checkpoint.startOffset = -1
    if let lineage = subject.lineage { checkpoint.lineage = lineage }
    // A new generation publishes its journal from the first entry on.
    let isNew = kept.isSought
    var records: [(topic: String, record: ProducerRecord)] = []
    var published = isNew ? 0 : checkpoint.reached.journalLast
    if isNew {
      let last = subject.state.journal.lastNumber
      let entries = subject.state.journal.committed
      while published < last {
        let part = try entries.entries(
          after: published, upTo: last, limit: .max, bytesMax: 1 << 20)
        guard let newest = part.last?.number else { break }
        let record = journal.producerRecord(
          .journal(PublishedJournal(generation: checkpoint.generation, entries: part)))
        _ = try producer.commit([record])
        published = newest
      }
    }
    records.append(journal.producerRecord(.checkpoint(checkpoint)))
    guard let offset = try producer.commit(records).last?.offset else {
      throw LogError(.failed, "\(journal.partition): the log does not say where the start went")
    }
    kept.start = offset
    (kept.isSought, kept.takesNewGeneration, kept.cut) = (false, false, nil)
    subject.state.outbox.setNote(kept.encoded())
    for (index, name) in subject.state.outbox.destinations.enumerated() {
      subject.state.outbox.keep(index, after: checkpoint.sent[name] ?? 0)
    }
    (checkpoint.start, checkpoint.startOffset) = (nil, offset)
    publisher = TaskPublisher(
      subject.state, of: name, .transactional(producer, journal, checkpoint), after: checkpoint,
      journalSent: published, appendBytesMax: setting.log.appendBytesMax)
    publisher?.progress.note()
  }

  private func startAppending() throws {
    try claim(kept, begins: begins([:]))
    publisher = TaskPublisher(
      subject.state, of: name, .appending(try setting.log.makeAppender()), after: first(1),
      journalSent: 0, appendBytesMax: setting.log.appendBytesMax)
    publisher?.progress.note()
  }

  // MARK: Nothing leaves

  /// Whether nothing is to leave the task: a copy for reading.
  package private(set) var isQuiet = false

  private func keepQuiet() {
    isQuiet = true
    Self.silence(subject.state)
  }

  /// Inside an interval that took a record while nothing leaves, before its commit.
  package func noteQuietRecord() {
    guard isQuiet, !kept.tookWithoutOutputs else { return }
    kept.tookWithoutOutputs = true
    subject.state.outbox.setNote(kept.encoded())
  }

  // MARK: A generation that was filled

  /// Says in the journal topic that a filled generation goes on from where it stands, above all
  /// generations there; what its outbox holds is still to be sent. Repeating it does no harm.
  ///
  /// - Throws: ``StreamCore/LogError``; ``StateStore/StoreError``.
  package static func recordGeneration(_ subject: Subject, _ setting: Setting) throws {
    guard setting.log.transactions != nil else { return }
    let outputs = try TaskOutputs(subject, setting)
    var note = OutputsNote()
    let last = try outputs.journal.last()?.checkpoint.generation ?? 0
    note.generation = max(last, outputs.kept.generation) + 1
    note.start = try outputs.journal.end()
    note.isSought = true
    outputs.decision = OutputDecision(start: .begin(generation: note.generation), note: note)
    try outputs.start()
    // Its start is kept with it before it serves.
    try outputs.commitNote()
    outputs.close()
  }

  private func commitNote() throws {
    guard subject.state.outbox.hasNewNote else { return }
    try subject.state.begin()
    do {
      try subject.state.commit()
      try subject.state.makeDurable()
    } catch {
      subject.state.abort()
      throw error
    }
  }

  // MARK: While the task runs

  /// The task has committed: what it appended is to be made durable and sent.
  package func note() {
    publisher?.progress.note()
    onNote()
  }

  /// Has a publisher's thread told of each ``note()``.
  func connect(_ onNote: @escaping @Sendable () -> Void) { self.onNote = onNote }

  /// Whether what was committed is not all sent.
  package var isPending: Bool { publisher?.progress.isPending ?? false }

  /// - Throws: what ended the publishing of this task.
  package func check() throws {
    if let failure = publisher?.progress.failure { throw failure }
  }

  /// Records and bytes that wait in the outbox for the slowest of their readers: what it has taken may
  /// lie there still.
  package var pending: (records: Int, bytes: Int) {
    let outbox = subject.state.outbox
    let cursor = publisher?.progress.cursor
    return outbox.destinations.enumerated().reduce(into: (0, 0)) { sum, destination in
      let (index, name) = destination
      let (records, bytes) = outbox.untaken(
        index, after: (cursor?.sent[name] ?? 0, cursor?.ends[name] ?? 0))
      sum.0 += records
      sum.1 += bytes
    }
  }

  /// Whether as much waits as may: the task takes no more input until some of it was taken.
  package var isFull: Bool {
    guard publisher != nil else { return false }
    let (records, bytes) = pending
    return records >= setting.bound.records || bytes >= setting.bound.bytes
  }

  /// Has `body` called once, by another thread, when something was taken of what waits.
  package func whenTaken(_ body: @escaping @Sendable () -> Void) {
    publisher?.progress.whenMoved(body)
  }

  /// Keeps an entry from being sent until ``release(_:)``, by when it is left out, or not.
  ///
  /// - Returns: whether it was not handed to the log before.
  func claim(_ id: OutboxEntryID) -> Bool {
    publisher?.progress.claim(id.number, of: id.destination) ?? true
  }

  /// What was claimed is committed.
  func release(_ ids: [OutboxEntryID]) {
    for id in ids { publisher?.progress.release(id.number, of: id.destination) }
    note()
  }

  /// Whether ``trim()`` has something to do.
  package var canTrim: Bool { publisher.map { $0.progress.version != trimmedVersion } ?? false }

  /// Whether what was sent lies in the outbox for so long that an interval is worth it.
  package var isTrimOverdue: Bool { !isPending && ContinuousClock.now - trimmedAt > .seconds(1) }

  /// Inside an interval, between units: lets the outbox forget what was sent.
  ///
  /// - Throws: ``StateStore/StoreError``.
  package func trim() throws {
    guard let progress = publisher?.progress else { return }
    (trimmedVersion, trimmedAt) = (progress.version, .now)
    let cursor = progress.cursor
    let outbox = subject.state.outbox
    for (index, name) in outbox.destinations.enumerated() {
      guard let sent = cursor.sent[name], let last = outbox.lastNumber(index) else { continue }
      try outbox.trim(index, upTo: min(sent, last))
    }
    outbox.trimMarks(upTo: cursor.mark)
  }

  /// Lets go of the log; the publisher's thread has let go of the task before.
  package func close() {
    publisher?.close()
    publisher = nil
  }
}
