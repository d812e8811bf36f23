import Logging
import StateStore
import StreamCore
import Topology

/// A decision about kept records: carried out by the process that runs the topology, or here where
/// none does.
struct OwnerCommand {
  let topology: String
  let directory: StateDirectory
  let session: Session

  /// Ids of one request: more of them are asked for one request after the other.
  private static let idsMax = 1_000

  /// - Parameters:
  ///   - verb: of the request.
  ///   - ids: of what it is about; empty for all, or for those with `reason`.
  func perform(_ verb: String, ids: [String], reason: String? = nil) throws {
    var pages: [[String: String]] = []
    for start in stride(from: 0, to: ids.count, by: Self.idsMax) {
      let page = ids[start..<min(start + Self.idsMax, ids.count)]
      pages.append(["ids": page.joined(separator: ",")])
    }
    if ids.isEmpty { pages.append(reason.map { ["reason": $0] } ?? [:]) }
    for arguments in pages {
      let request = OwnerRequest(directory: directory, verb: verb, arguments: arguments)
      try session.output.write(try request.perform(here: carryOut) + "\n")
      try session.output.flush()
    }
  }

  private func carryOut(_ request: Request) throws -> Reply {
    let log = try session.openLog()
    defer { log.close() }
    let signals = session.signals
    // As the owner it ends after a commit where one comes; who only asks is ended at once.
    signals.take()
    let owner: TopologyOwner
    do {
      owner = try TopologyOwner(
        session.topology(topology), stateRoot: try session.settings.require("state"), log: log,
        options: try session.runOptions(sharing: 1), clock: SystemWallClock(),
        report: { [logger = session.logger] in logger.info("\($0)") })
    } catch {
      signals.letGo()
      throw error
    }
    signals.onReceive(owner.stopper)
    do { return try owner.carryOut(request) } catch let error as TaskError {
      guard error.code == .stopped, signals.wereReceived else { throw error }
      return Reply(.done, "stopped after a commit; ask again for the rest")
    }
  }
}
