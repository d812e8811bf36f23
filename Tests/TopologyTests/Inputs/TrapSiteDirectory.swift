import ChildProcesses
import Foundation

/// A log and a state that a process is run on whose handlers end it.
final class TrapSiteDirectory {
  let path = NSTemporaryDirectory() + "projector-traps-" + UUID().uuidString

  init(_ records: [String]) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    _ = try run("feed", records)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  static func worker() throws -> String {
    let places = [Bundle.main.bundleURL, Bundle.main.executableURL?.deletingLastPathComponent()]
    for place in places.compactMap({ $0 }) {
      for directory in [place, place.deletingLastPathComponent()] {
        let file = directory.appendingPathComponent("TrapWorker")
        if FileManager.default.isExecutableFile(atPath: file.path) { return file.path }
      }
    }
    throw CocoaError(.fileNoSuchFile)
  }

  /// How a process ended, and what it printed.
  struct Run {
    let ending: ChildProcess.Ending
    let lines: [String]
  }

  /// - Parameters:
  ///   - way: how the handler ends.
  ///   - policy: the word of the topology's policies.
  func run(
    _ verb: String, _ arguments: [String] = [], way: String = "", policy: String = "deadLetter"
  ) throws -> Run {
    let process = try ChildProcess(
      Self.worker(), [verb, path] + arguments,
      environment: [
        // The runtime's own report of a crash takes seconds.
        "SWIFT_BACKTRACE": "enable=no", "TRAP_WAY": way, "TRAP_POLICY": policy,
      ], output: .captured, errors: .discarded)
    let text = String(decoding: try process.output(), as: UTF8.self)
    return Run(
      ending: process.wait(), lines: text.split(separator: "\n").map(String.init))
  }

  func show(policy: String = "deadLetter") throws -> [String] {
    try run("show", policy: policy).lines
  }
}
