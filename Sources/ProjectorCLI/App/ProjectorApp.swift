import ArgumentParser
import Glibc
import StateStore
public import Topology

/// A program with the whole command line and its own topologies.
///
///     @main struct App: ProjectorApp {
///       static let topologies = [RegisteredTopology("order-counts", orderCounts)]
///     }
public protocol ProjectorApp {
  /// What TOPOLOGY on the command line may name.
  static var topologies: [RegisteredTopology] { get }
}

/// A topology under the name by which the command line finds it.
public struct RegisteredTopology: Sendable {
  public let name: String
  private let make: @Sendable () throws(TopologyError) -> Topology

  /// - Parameter make: builds the topology; called only where a verb needs the graph.
  public init(_ name: String, _ make: @escaping @Sendable () throws(TopologyError) -> Topology) {
    self.name = name
    self.make = make
  }

  /// - Throws: ``Topology/TopologyError``, or a ``Failure`` where the topology bears another name.
  func build() throws -> Topology {
    let topology = try make()
    guard topology.name == name else {
      throw Failure(
        .invalid, "topology '\(topology.name)' is registered as '\(name)'", at: "the program",
        todo: "register it under its own name")
    }
    return topology
  }
}

extension ProjectorApp {
  /// Runs the command line of this process and exits.
  public static func main() {
    // Before the topologies, which are the user's code: it may start threads.
    let signals = TerminationSignals()
    // A reader that goes away is noticed where we write, not by a signal.
    signal(SIGPIPE, SIG_IGN)
    // So is the limit on a file's size.
    signal(SIGXFSZ, SIG_IGN)
    // A unit that traps is written down; what damaged files do is asked first.
    TrapReport.install()
    DamageReport.install()
    OpenFiles.raiseLimit()
    let status = TrapReport.onThread {
      CommandRunner(topologies: topologies, signals: signals).run(
        Array(CommandLine.arguments.dropFirst()))
    }
    exit(status.rawValue)
  }
}
