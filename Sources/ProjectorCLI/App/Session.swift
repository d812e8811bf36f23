import Logging
import StreamCore
import Topology

/// What one call of the command line works with.
struct Session {
  let settings: Settings
  let output: StandardOutput
  let logger: Logger
  let signals: TerminationSignals
  private let topologies: [RegisteredTopology]

  /// - Throws: ``Failure`` for a setting that is unknown or not valid.
  init(
    _ verb: some Verb, topologies: [RegisteredTopology], output: StandardOutput,
    signals: TerminationSignals
  ) throws {
    var given = verb.given
    given.append(("logLevel", verb.common.logLevel))
    given.append(("logFormat", verb.common.logFormat))
    settings = try Settings(
      options: given, assignments: verb.common.settings,
      environment: ProcessEnvironment.variables(), file: verb.common.config)
    self.topologies = topologies
    self.output = output
    self.signals = signals
    let (format, level) = (settings.logFormat, settings.logLevel)
    logger = Logger(label: Projector.executableName) { _ in
      StandardErrorLogHandler(format: format, logLevel: level)
    }
    for warning in settings.warnings { logger.warning("\(warning)") }
  }

  /// - Throws: ``Failure`` for a name that is not registered, ``Topology/TopologyError``.
  func topology(_ name: String) throws -> Topology {
    guard let registered = topologies.first(where: { $0.name == name }) else {
      let names = topologies.map(\.name).joined(separator: ", ")
      throw Failure(
        .invalid, "there is no topology '\(name)'", at: Projector.executableName,
        todo: names.isEmpty ? "register one" : "it has: \(names)")
    }
    return try registered.build()
  }

  /// - Returns: `nil` for a topology that is not registered here.
  func registered(_ name: String) throws -> Topology? {
    try topologies.first { $0.name == name }?.build()
  }

  /// All topologies, in the order of their registration.
  func registered() throws -> [Topology] { try topologies.map { try $0.build() } }

  /// - Parameter create: whether a local log that is missing is made.
  /// - Throws: ``Failure`` where no log is named, ``StreamCore/LogError``.
  func openLog(create: Bool = false) throws -> any RecordLog {
    try LogFactory.open(try settings.require("log"), create: create, settings: settings)
  }

  /// The state of a topology, registered here or not: state says itself what it holds.
  ///
  /// - Throws: ``Failure`` where there is none.
  func stateDirectory(of topology: String) throws -> StateDirectory {
    let directory = StateDirectory(root: try settings.require("state"), topology: topology)
    guard !topology.contains("/"), try directory.current() != nil else {
      throw Failure(
        .stateRefused, "there is no state of topology '\(topology)'", at: directory.path,
        todo: "run it first, or correct --state")
    }
    return directory
  }

  /// How the engine runs by the settings.
  ///
  /// - Parameter count: topologies that share the memory.
  func runOptions(sharing count: Int) throws -> RunOptions {
    var options = RunOptions()
    options.threads = settings.number("threads") ?? options.threads
    options.budget.records = settings.number("commitRecords") ?? options.budget.records
    options.budget.age = settings.duration("commitAge") ?? options.budget.age
    options.stopTimeout = settings.duration("stopTimeout") ?? options.stopTimeout
    if let interval = settings.duration("snapshotInterval") {
      var policy = SnapshotPolicy(interval: interval)
      policy.kept = settings.number("snapshotsKept") ?? policy.kept
      options.snapshots = policy
    }
    options.budget.memory = settings.size("memory") ?? options.budget.memory
    options.budget.shares = count
    return options
  }
}
