import StateStore
package import StreamCore
import Synchronization

/// The outputs of all tasks of a run: decided when the tasks are opened, started before their loops,
/// published beside them.
package final class RunOutputs {
  private let topology: Topology
  private let log: any RecordLog
  private let choice: OutputChoice?
  private let bound: OutboxBound
  private let report: @Sendable (String) -> Void
  private var outputs: [TaskName: TaskOutputs] = [:]
  private var subjects: [TaskName: TaskIdentity] = [:]
  private var publishers: [OutputPublisher] = []
  private var isStarted = false
  /// A thread that was not waited for still uses what the tasks publish by.
  private var isLeft = false

  package init(
    _ topology: Topology, log: any RecordLog, choice: OutputChoice?,
    bound: OutboxBound = OutboxBound(), report: @escaping @Sendable (String) -> Void
  ) {
    self.topology = topology
    self.log = log
    self.choice = choice
    self.bound = bound
    self.report = report
  }

  /// Decides how each task begins.
  ///
  /// - Parameter tasks: opened, each where its last commit left it.
  /// - Throws: ``StateStore/StoreError`` with `.foreign` where the operator must choose;
  ///   ``StreamCore/LogError``. Nothing was changed.
  package func open(_ tasks: [StreamTask]) throws {
    close()
    let sending = try Self.sending(topology, to: log)
    guard !sending.isEmpty else { return }
    let setting = try setting()
    for subject in tasks.map(\.outputSubject) where sending.contains(subject.name.subTopology) {
      guard try TaskOutputs.concern(subject, setting) else { continue }
      outputs[subject.name] = try TaskOutputs.open(subject, setting)
      subjects[subject.name] = subject.state.identity
    }
  }

  /// Refuses tasks that have no state yet where outputs were sent before, as ``open(_:)`` would once
  /// something was made for them.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.foreign`; ``StreamCore/LogError``; ``TaskError`` with
  ///   `.stopped`.
  func checkFresh(_ tasks: [TaskOpener.Planned], stop: StopSignal) throws {
    // Whoever has chosen is not refused.
    guard choice == nil, log.transactions != nil, !tasks.isEmpty else { return }
    let setting = try setting()
    // Mostly nothing was ever sent: one question for all of them.
    let journals = try Self.journals(of: topology, in: log)
    let (topology, hasOthers) = (topology, setting.hasOtherJournals)
    _ = try EngineThread.map(tasks, threads: 8, stop: stop) { task in
      let sends = !topology.outputTopics(of: task.sub).isEmpty
      guard journals.contains(task.name.subTopology) || hasOthers && sends else { return }
      try TaskOutputs.checkFresh(task.name, sends: sends, setting)
    }
  }

  /// Sub-topologies that send something, or did: what a state took meanwhile is told by its starts,
  /// so they are written as long as there are checkpoints.
  ///
  /// - Throws: ``StreamCore/LogError``.
  static func sending(_ topology: Topology, to log: any RecordLog) throws -> Set<String> {
    let now = topology.subTopologies.filter { !topology.outputTopics(of: $0).isEmpty }
    guard now.count < topology.subTopologies.count, log.transactions != nil else {
      return Set(now.map(\.name))
    }
    return try journals(of: topology, in: log).union(now.map(\.name))
  }

  /// Sub-topologies whose journal topics are there.
  private static func journals(
    of topology: Topology, in log: any RecordLog
  ) throws -> Set<String> {
    let names = topology.subTopologies.map(\.name)
    return Set(
      try names.filter { try log.topic(CheckpointLog.topic(of: topology.name, $0)) != nil })
  }

  private func setting() throws -> TaskOutputs.Setting {
    var setting = TaskOutputs.Setting(
      topology: topology.name, log: log, choice: choice, report: report)
    setting.bound = bound
    guard log.transactions != nil else { return setting }
    let prefix = CheckpointLog.topic(of: topology.name, "")
    let own = Set(topology.subTopologies.map { CheckpointLog.topic(of: topology.name, $0.name) })
    setting.hasOtherJournals = try log.topics().contains {
      $0.name.hasPrefix(prefix) && !own.contains($0.name)
    }
    return setting
  }

  package subscript(name: TaskName) -> TaskOutputs? { outputs[name] }

  /// Whether a task has a way to go before ``start()``.
  var haveWays: Bool { outputs.values.contains { $0.catchUp != nil } }

  /// The ways that tasks have to go in silence before ``start()``: a run of their own, in which
  /// ``CatchUp/limits`` and ``CatchUp/journal`` are followed. Afterwards the tasks are opened anew.
  ///
  /// - Throws: ``StateStore/StoreError``. What was decided is durable when it returns.
  package func beginWays() throws -> [TaskName: CatchUp] {
    var ways: [TaskName: CatchUp] = [:]
    for (name, output) in outputs {
      guard let way = output.catchUp else { continue }
      try output.beginCatchUp()
      ways[name] = way
    }
    return ways
  }

  /// Makes topics that are missing and writes the checkpoint of each task's start.
  ///
  /// - Throws: ``StreamCore/LogError``; ``StateStore/StoreError``.
  package func start() throws {
    guard !isStarted else { return }
    isStarted = true
    guard choice != OutputChoice.none, !outputs.isEmpty else {
      for output in outputs.values { try output.start() }
      return
    }
    try makeTopics()
    let all = outputs.values.sorted { $0.name < $1.name }
    // A log takes the starts of many tasks together where they come at once.
    let threads = min(16, all.count / 16)
    guard threads > 1 else {
      for output in all { try output.start() }
      return
    }
    let failed = Failure()
    let running = (0..<threads).map { number in
      let mine = ThreadBound(all.indices.filter { $0 % threads == number }.map { all[$0] })
      return EngineThread {
        do {
          for output in mine.value where failed.first == nil { try output.start() }
        } catch {
          failed.note(error)
        }
      }
    }
    for thread in running { thread.join() }
    if let first = failed.first { throw first }
  }

  /// Output topics are created explicitly, never by a broker's auto-create.
  private func makeTopics() throws {
    let counts = subjects.values.map(\.partitionCount)
    for topic in topology.outputTopics { try ensure(topic, partitions: counts.max() ?? 1) }
    guard log.transactions != nil else { return }
    for (name, identity) in subjects {
      try ensure(
        CheckpointLog.topic(of: topology.name, name.subTopology),
        partitions: identity.partitionCount)
    }
  }

  private func ensure(_ topic: String, partitions: Int) throws {
    guard try log.topic(topic) == nil else { return }
    guard let administration = log.administration else {
      throw LogError(
        .topicMissing,
        "output topic '\(topic)' does not exist; create it with \(partitions) partitions")
    }
    do {
      try administration.createTopic(topic, partitions: partitions, retention: TopicRetention())
    } catch {
      // Another process of this topology was faster.
      guard error.code == .topicExists else { throw error }
    }
  }

  /// Publishes on threads of its own what the tasks commit.
  ///
  /// - Parameters:
  ///   - groups: the tasks of each thread.
  ///   - onServed: called for a group when one of its tasks has nothing more to send.
  ///   - onFailure: called for each group in which a task's publishing has ended for good.
  package func publish(
    _ groups: [[TaskName]], onServed: @escaping @Sendable (_ group: Int) -> Void = { _ in },
    onFailure: @escaping @Sendable (_ group: Int) -> Void
  ) {
    publishers = groups.enumerated().compactMap { number, names in
      let mine = names.compactMap { outputs[$0] }
      guard !mine.isEmpty else { return nil }
      return OutputPublisher(
        mine, report: report, onServed: { onServed(number) }, onFailure: { onFailure(number) })
    }
    for publisher in publishers { publisher.start() }
  }

  /// Ends a wait for the log, from any thread.
  package var stopper: @Sendable () -> Void {
    let publishers = publishers
    return { for publisher in publishers { publisher.stop() } }
  }

  /// Waits until everything committed is sent and ends the threads.
  ///
  /// - Parameter limit: of the wait once `isStopped`.
  /// - Throws: what ended the publishing of a task.
  package func drain(atMost limit: Duration, isStopped: () -> Bool) throws {
    let deadline = ContinuousClock.now + limit
    for publisher in publishers {
      publisher.drain(atMost: max(.zero, deadline - .now), isStopped: isStopped)
    }
    end(atMost: max(.seconds(1), deadline - .now))
    for output in outputs.values { try output.check() }
  }

  /// Ends the threads after the runs in flight; one that does not end in time is left.
  ///
  /// - Parameter limit: `nil` for ever.
  package func end(atMost limit: Duration? = nil) {
    let deadline = limit.map { ContinuousClock.now + $0 }
    for publisher in publishers { publisher.stop() }
    for publisher in publishers {
      let isOver = publisher.end(atMost: deadline.map { max(.zero, $0 - .now) })
      if !isOver {
        report("a log did not answer in time: what was not sent goes at the next start")
        isLeft = true
      }
    }
    publishers = []
  }

  /// Sends everything in the calling thread, of tasks that have started.
  ///
  /// - Throws: as ``TaskOutputs/publish()``.
  func publishToEnd(_ stop: StopSignal) throws {
    for output in outputs.values.sorted(by: { $0.name < $1.name }) {
      try stop.check("the sending of what was not sent yet")
      output.note()
      try output.publish()
    }
  }

  /// Lets go of the log and of the tasks' states.
  package func close() {
    end()
    if !isLeft { for output in outputs.values { output.close() } }
    (outputs, subjects, isStarted) = ([:], [:], false)
  }

  /// Says in the sinks' journals that filled tasks go on from where they stand.
  ///
  /// - Throws: ``StreamCore/LogError``; ``StateStore/StoreError``.
  package func recordGeneration(of tasks: [StreamTask]) throws {
    guard choice != OutputChoice.none else { return }
    let sending = try Self.sending(topology, to: log)
    guard !sending.isEmpty else { return }
    let setting = try setting()
    let subjects = try tasks.map(\.outputSubject).filter {
      try sending.contains($0.name.subTopology) && TaskOutputs.concern($0, setting)
    }
    for subject in subjects { self.subjects[subject.name] = subject.state.identity }
    try makeTopics()
    for subject in subjects { try TaskOutputs.recordGeneration(subject, setting) }
  }
}

/// The first failure of several threads.
private final class Failure: Sendable {
  private let failure = Mutex<(any Error)?>(nil)

  var first: (any Error)? { failure.withLock { $0 } }
  func note(_ error: any Error) { failure.withLock { $0 = $0 ?? error } }
}

extension StreamTask {
  /// What its outputs are to know of it.
  var outputSubject: TaskOutputs.Subject {
    TaskOutputs.Subject(
      state: state, name: name, standing: standing,
      begun: Dictionary(inputs.map { ($0.topicPartition, $0.start) }, uniquingKeysWith: max),
      lineage: topology.outputLineage(of: subTopology),
      destinations: topology.outputTopics(of: subTopology))
  }
}
