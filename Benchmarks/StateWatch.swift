import StateStore
import Topology

/// How far a state is, seen from outside the process that writes it.
final class StateWatch {
  private var readers: [StateReader?]
  private let directories: [String]

  init(_ work: String, partitions: Int) throws {
    let directory = StateDirectory(root: "\(work)/state", topology: "order-projections")
    directories = (0..<partitions).map {
      directory.task(1, TaskName(subTopology: "order-events", partition: $0))
    }
    readers = Array(repeating: nil, count: partitions)
  }

  /// Sum of the committed positions; a task without state counts 0.
  func positions() throws -> Int {
    var sum = 0
    for partition in directories.indices {
      if readers[partition] == nil {
        // The task may not have made its state yet.
        do { readers[partition] = try StateReader.open(directories[partition]) } catch { continue }
      }
      let words = try readers[partition]?.read { try $0.words() } ?? [:]
      sum += Int(words["position/order-events-\(partition)"] ?? 0)
    }
    return sum
  }
}
