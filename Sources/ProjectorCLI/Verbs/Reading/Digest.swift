import ArgumentParser
import Dispatch
import JSONSerdes
import StateStore
import Synchronization
import Topology

struct Digest: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Prints a hash of each view that equal states share.",
    discussion: """
      Lines NAME<TAB>ROWS<TAB>HEX, the last one named all. It does not depend on partitions, \
      threads or commits. Index entries are recomputed and compared on the way.
      """)

  @Argument(help: "A registered topology.") var topology: String
  @Option(help: "A generation other than the one that serves.") var generation: Int?
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("state", state.directory)] }

  func run(in session: Session) throws {
    let graph = try session.topology(topology)
    let state = try TopologyState(
      session.stateDirectory(of: topology), generation: generation)
    let digests = try Self.digests(of: state, StateDigest(graph, canonical: canonicalJSON))
    for digest in digests + [StateDigest.total(digests)] {
      try session.output.write("\(digest.name)\t\(digest.rows)\t\(digest.hexadecimal)\n")
    }
  }

  /// Each task on a thread of its own, then added up.
  private static func digests(of state: TopologyState, _ digest: StateDigest) throws -> [ViewDigest]
  {
    let parts = Mutex<[ViewDigest]>([])
    let failures = Mutex<[any Error]>([])
    let tasks = state.tasks
    DispatchQueue.concurrentPerform(iterations: tasks.count) { index in
      do {
        let part = try digest.digests(of: [tasks[index].reader()])
        parts.withLock { $0 += part }
      } catch {
        failures.withLock { $0.append(error) }
      }
    }
    if let failure = failures.withLock({ $0.first }) { throw failure }
    var views: [String: ViewDigest] = [:]
    for part in parts.withLock({ $0 }) {
      views[part.name, default: ViewDigest(part.name)].add(part)
    }
    return views.values.sorted { $0.name < $1.name }
  }
}
