import Glibc
import StateStore
import StreamCore
import Topology

/// Asks the process that runs a topology to do something, and waits for its answer.
struct OwnerRequest {
  let directory: StateDirectory
  let verb: String
  let arguments: [String: String]
  /// How long it may lie unread.
  var patience = Duration.seconds(30)

  /// - Returns: what the owner says it did.
  /// - Throws: ``Failure`` where it could not, or ended before it answered.
  func perform() throws -> String {
    let clock = SystemWallClock()
    let queue = RequestQueue(directory)
    let id = "\(clock.now().milliseconds)-\(getpid())"
    try queue.submit(
      Request(id: id, verb: verb, arguments: arguments, deadline: clock.now() + patience))
    while true {
      if let reply = try queue.takeReply(id) {
        guard reply.succeeded else { throw Failure(.failed, reply.message) }
        return reply.message
      }
      if try !Self.isOwned(directory) {
        // It may have answered as its last deed.
        if let reply = try queue.takeReply(id), reply.succeeded { return reply.message }
        queue.withdraw(id)
        throw Failure(
          .failed, "the process that ran the topology ended before it answered",
          at: directory.path, todo: "repeat the command")
      }
      usleep(20_000)
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
