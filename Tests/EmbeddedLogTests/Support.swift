import ChildProcesses
import EmbeddedLog
import Foundation
import StreamCore

/// A directory that goes with the test.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("embedded-log-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

extension EmbeddedLog {
  func append(_ values: [String], to topic: String, at time: Int64 = 1) throws -> [AppendResult] {
    try makeAppender().append(
      values.map {
        ProducerRecord(
          key: nil, value: Array($0.utf8), timestamp: Timestamp(milliseconds: time), partition: 0)
      }, to: topic)
  }

  /// Everything in one partition.
  func contents(_ place: TopicPartition) throws -> [ConsumerRecord] {
    let reader = try makeReader(ReaderOptions())
    defer { reader.close() }
    try reader.assign([place: try offsets(of: place).lowerBound])
    var records: [ConsumerRecord] = []
    while true {
      for batch in try reader.poll(timeout: .zero) {
        records += (0..<batch.count).map { batch.record(at: $0) }
        if batch.nextOffset == batch.endOffset { return records }
      }
    }
  }

  func values(_ place: TopicPartition) throws -> [String] {
    try contents(place).map { String(decoding: $0.value ?? [], as: UTF8.self) }
  }
}

/// A running LogWorker.
final class Worker {
  private let process: ChildProcess

  init(_ arguments: String...) throws {
    process = try ChildProcess(Self.executable().path, arguments, output: .captured)
  }

  /// It lies beside the test bundle, or the test runner.
  private static func executable() throws -> URL {
    let places = [Bundle.main.bundleURL, Bundle.main.executableURL?.deletingLastPathComponent()]
    for place in places.compactMap({ $0 }) {
      for directory in [place, place.deletingLastPathComponent()] {
        let file = directory.appendingPathComponent("LogWorker")
        if FileManager.default.isExecutableFile(atPath: file.path) { return file }
      }
    }
    throw CocoaError(.fileNoSuchFile)
  }

  /// The next line, or `nil` once the process has ended.
  func line() throws -> String? { try process.line() }

  func lines() throws -> [String] {
    try process.output().split(separator: UInt8(ascii: "\n")).map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  func kill() { process.kill() }

  /// Waits for its end.
  func end() -> ChildProcess.Ending { process.wait() }

  /// How often its main thread has gone to sleep, or was put aside for another.
  func wakeUps() throws -> Int {
    let path = "/proc/\(process.id)/status"
    return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
      .filter { $0.contains("ctxt_switches") }
      .compactMap { $0.split(separator: "\t").last.flatMap { Int($0) } }
      .reduce(0, +)
  }
}
