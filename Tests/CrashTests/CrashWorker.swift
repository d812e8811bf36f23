import ChildProcesses
import Foundation

/// Runs the worker's process and gives what it said.
enum CrashWorker {
  struct Outcome {
    let lines: [String]
    let ending: ChildProcess.Ending
  }

  static func run(_ arguments: [String], _ environment: [String: String] = [:]) throws -> Outcome {
    let process = try ChildProcess(
      executable().path, arguments,
      environment: ProcessInfo.processInfo.environment.merging(environment) { $1 },
      output: .captured)
    let text = String(decoding: try process.output(), as: UTF8.self)
    return Outcome(
      lines: text.split(separator: "\n").map(String.init), ending: process.wait())
  }

  /// Lies beside the tests' bundle.
  private static func executable() throws -> URL {
    var directory = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    for bundle in Bundle.allBundles { directory = bundle.bundleURL.deletingLastPathComponent() }
    for place in [directory, URL(fileURLWithPath: CommandLine.arguments[0])]
      + [Bundle.main.bundleURL]
    {
      var candidate = place
      for _ in 0..<3 {
        let file = candidate.appendingPathComponent("CrashWorker")
        if FileManager.default.isExecutableFile(atPath: file.path) { return file }
        candidate = candidate.deletingLastPathComponent()
      }
    }
    throw CocoaError(.fileNoSuchFile)
  }
}

/// A directory with a log and a state, removed with its owner.
final class CrashSite {
  private let directory: URL
  var log: String { directory.appendingPathComponent("log").path }
  var state: String { directory.appendingPathComponent("state").path }

  init() throws {
    directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("projector-crash-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  deinit {
    do { try FileManager.default.removeItem(at: directory) } catch {
      print("\(directory.path) stays: \(error)")
    }
  }

  func feed(seed: UInt64) throws { _ = try CrashWorker.run(["feed", log, "\(seed)", "90"]) }

  func run(_ verb: String = "run", _ environment: [String: String] = [:]) throws
    -> CrashWorker.Outcome
  {
    try CrashWorker.run([verb, log, state], environment)
  }

  func show() throws -> [String] { try CrashWorker.run(["show", log, state]).lines }
}
