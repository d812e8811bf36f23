import ArgumentParser
import Dispatch
import Logging
import StreamCore
import Synchronization
import Topology

struct Run: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Runs topologies: keeps their views up to date until stopped.",
    discussion: """
      SIGTERM and SIGINT end it after a commit, with status 0. With --until-end it ends when all \
      that the log held at the start is processed and committed; with --final too, time ends there: \
      windows close, timers fire, and what comes later is late.
      """)

  @Argument(help: "Registered topologies.") var topologies: [String]
  @Option(help: ArgumentHelp("Partitions to run, as 0,2-3; all otherwise.", valueName: "list"))
  var partition: String?
  @Option(help: "Threads that drive tasks.") var threads: String?
  @Flag(help: "Stop at the end offsets read at the start.") var untilEnd = false
  @Flag(
    name: .customLong("final"),
    help: "With --until-end: then time ends, so that windows close and timers fire.")
  var endsTime = false
  @Option(
    help: ArgumentHelp("Anonymous memory that the process aims at.", valueName: "size"))
  var memory: String?
  @Flag(help: "Rebuild the state of a topology that has changed, instead of refusing it.")
  var rebuildIfChanged = false
  @Option(
    help: ArgumentHelp(
      """
      Of a state that did not write what lies in its sinks: continue behind it, send all anew, or \
      none (a copy for reading). Asked for where it is needed.
      """, valueName: "choice"))
  var outputs: String?
  @Option(
    help: ArgumentHelp("How long a stop may take for its last work.", valueName: "duration"))
  var stopTimeout: String?
  @OptionGroup var log: LogOption
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] {
    [
      ("log", log.url), ("state", state.directory), ("threads", threads), ("memory", memory),
      ("stopTimeout", stopTimeout),
    ]
  }

  func run(in session: Session) throws {
    // All of it is checked before anything is opened.
    let graphs = try topologies.map { try session.topology($0) }
    guard Set(topologies).count == topologies.count else {
      throw Failure.usage("a topology is named twice", todo: "name each once")
    }
    guard untilEnd || !endsTime else {
      throw Failure.usage("--final ends time where the log ends", todo: "add --until-end")
    }
    let root = try session.settings.require("state")
    var options = try session.runOptions(sharing: graphs.count)
    if let partition {
      guard let list = PartitionList.parse(partition) else {
        throw Failure.usage(
          "'\(partition)' is no list of partitions", todo: "write --partition as 0,2-3")
      }
      options.partitions = list
    }
    options.rebuildsIfChanged = rebuildIfChanged
    if let outputs {
      guard let choice = OutputChoice(rawValue: outputs) else {
        let choices = OutputChoice.allCases.map(\.rawValue).joined(separator: ", ")
        throw Failure.usage(
          "'\(outputs)' is no choice of outputs", todo: "write --outputs with one of \(choices)")
      }
      options.outputs = choice
    }
    let signals = session.signals
    signals.take()
    let log = try session.openLog()
    defer { log.close() }
    var tasks = 0
    for graph in graphs {
      for topics in graph.subTopologies.map(\.topics) {
        let counts = try topics.map { try log.existing($0).partitions }
        tasks += options.partitions?.count ?? counts.max() ?? 0
      }
    }
    try OpenFiles.check(tasks: tasks)
    let logger = session.logger
    let owners = try graphs.map { topology in
      var logger = logger
      if graphs.count > 1 { logger[metadataKey: "topology"] = .string(topology.name) }
      return try TopologyOwner(
        topology, stateRoot: root, log: log, options: options, clock: SystemWallClock(),
        report: { [logger] in logger.warning("\($0)") })
    }
    for topology in graphs { logger.info("running topology '\(topology.name)' on \(root)") }
    let outcome = Self.drive(
      owners, untilEnd: untilEnd, endsTime: endsTime, signals
    ) { name, failure in
      // The others go on: topologies of one process are isolated from each other.
      if graphs.count > 1 { logger.error("topology '\(name)' stopped: \(failure)") }
    }
    if let outcome { throw outcome }
    if untilEnd, !signals.wereReceived {
      for topology in graphs {
        let status = try TopologyStatus.read(StateDirectory(root: root, topology: topology.name))
        if graphs.count > 1 { try session.output.write("topology \(topology.name)\n") }
        try session.output.write(status.summary)
      }
    }
    logger.info("stopped after a commit")
  }

  /// Runs each topology on a thread of its own until all have ended.
  ///
  /// - Returns: the first failure.
  private static func drive(
    _ owners: [TopologyOwner], untilEnd: Bool, endsTime: Bool, _ signals: TerminationSignals,
    onFailure: @escaping @Sendable (String, Failure) -> Void
  ) -> Failure? {
    let outcome = Outcome()
    let group = DispatchGroup()
    for owner in owners {
      let owned = OwnerBox(owner)
      let queue = DispatchQueue(label: "projector.\(owner.topology.name)")
      queue.async(group: group) {
        do {
          try owned.owner.run(untilEnd: untilEnd, endsTime: endsTime)
        } catch {
          let failure = Failure(error)
          outcome.note(failure)
          onFailure(owned.owner.topology.name, failure)
        }
      }
      signals.onReceive { owned.owner.stop() }
    }
    group.wait()
    return outcome.failure
  }
}

/// Carries an owner to the thread that runs it.
private struct OwnerBox: @unchecked Sendable {
  // Invariant: besides the thread that runs it, only `stop()` is called, which any thread may.
  let owner: TopologyOwner
  init(_ owner: TopologyOwner) { self.owner = owner }
}

private final class Outcome: Sendable {
  private let first = Mutex<Failure?>(nil)
  var failure: Failure? { first.withLock { $0 } }
  func note(_ failure: Failure) { first.withLock { if $0 == nil { $0 = failure } } }
}

/// Partitions as users write them: `0,2-3`.
enum PartitionList {
  /// In order, without repeats; `nil` for anything else, and beyond 100,000.
  static func parse(_ text: String) -> [Int]? {
    var partitions: Set<Int> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let bounds = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard let first = bounds.first ?? nil, let last = bounds.last ?? nil, bounds.count <= 2,
        first >= 0, last >= first, last < 100_000
      else { return nil }
      partitions.formUnion(first...last)
    }
    return partitions.sorted()
  }
}
