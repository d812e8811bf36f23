import Glibc
import StateStore
import StreamCore
import Topology

/// Asks the process that runs a topology to do something, and waits for its answer.
struct OwnerRequest {
  let directory: StateDirectory
  let verb: String
  let arguments: [String: String]

  /// - Returns: what the owner says it did.
  /// - Throws: ``Failure`` where it could not, or ended before it answered.
  func perform() throws -> String {
    let queue = RequestQueue(directory)
    let id = "\(SystemWallClock().now().milliseconds)-\(getpid())"
    let asked = try queue.submit(Request(id: id, verb: verb, arguments: arguments))
    while true {
      if let reply = try asked.answer() { return try Self.message(reply) }
      if try !Self.isOwned(directory) {
        // It may have answered as its last deed.
        if let reply = try asked.answer() { return try Self.message(reply) }
        throw Failure(
          .failed, "the process that ran the topology ended before it answered",
          at: directory.path, todo: "repeat the command")
      }
      usleep(20_000)
    }
  }

  private static func message(_ reply: Reply) throws -> String {
    switch reply.outcome {
    case .done, .running: return reply.message
    case .failed: throw Failure(.failed, reply.message)
    case .refused: throw Failure(.stateRefused, reply.message)
    }
  }

  static func isOwned(_ directory: StateDirectory) throws -> Bool {
    do {
      _ = try OwnerLock(directory)
      return false
    } catch let error where error.code == .locked {
      return true
    }
  }
}
