import Glibc
import StateStore
import StreamCore
import Topology

/// A command for whoever owns a topology: the process that runs it, asked by a request, or this one.
///
/// Nobody takes the lock to see whether somebody holds it: a start beside would be refused. A
/// process whose number is in the lock's file is asked; where it is gone, and where it gives no
/// answer for a while (the number may be another's by now), this process tries to become the owner.
struct OwnerRequest {
  let directory: StateDirectory
  let verb: String
  let arguments: [String: String]

  /// How long an owner may be silent before it is doubted.
  private static let patience = Duration.seconds(5)

  /// - Parameter here: becomes the owner and carries the request out under its id; its effect is
  ///   committed with that, so it has it once, whoever else was asked.
  /// - Returns: what was done, in words.
  /// - Throws: ``Failure`` where it could not be done.
  func perform(here: (Request) throws -> Reply) throws -> String {
    let request = Request(
      id: "\(SystemWallClock().now().milliseconds)-\(getpid())", verb: verb, arguments: arguments)
    if !ownerMayRun {
      if let message = try attempt(here, request) { return message }
    }
    // While it is held, somebody waits for the answer; letting go of it takes the request back.
    let asked = try RequestQueue(directory).submit(request)
    defer { withExtendedLifetime(asked) {} }
    var heard = ContinuousClock.now
    var last: Reply?
    while true {
      let reply = try asked.reply()
      if let reply, reply.outcome != .running { return try Self.message(reply) }
      if reply != last {
        (last, heard) = (reply, .now)
        if let reply, StandardError.isTerminal { StandardError.write("\(reply.message)\n") }
      }
      if !ownerMayRun || ContinuousClock.now - heard > Self.patience {
        heard = .now
        // It may have answered as its last deed.
        if let answer = try asked.answer() { return try Self.message(answer) }
        if let message = try attempt(here, request) { return message }
      }
      usleep(20_000)
    }
  }

  /// - Returns: `nil` where another process owns the topology.
  private func attempt(
    _ here: (Request) throws -> Reply, _ request: Request
  ) throws -> String? {
    do {
      return try Self.message(here(request))
    } catch let error as StoreError where error.code == .locked {
      return nil
    }
  }

  private static func message(_ reply: Reply) throws -> String {
    switch reply.outcome {
    case .done, .running: return reply.message
    case .failed: throw Failure(.failed, reply.message)
    case .refused: throw Failure(.stateRefused, reply.message)
    }
  }

  /// Whether the process that wrote its number into the lock's file is there.
  private var ownerMayRun: Bool {
    let bytes: [UInt8]
    do {
      guard let read = try SystemFile.read("\(directory.path)/owner") else { return false }
      bytes = read
    } catch {
      // Who cannot look asks.
      return true
    }
    let text = String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
    // One that has just begun has not written it yet.
    guard let process = Int32(text), process > 0 else { return text.isEmpty && !bytes.isEmpty }
    return kill(process, 0) == 0 || errno == EPERM
  }
}
