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
  private let process = Process()
  private let output = Pipe()
  private var buffer: [UInt8] = []

  init(_ arguments: String...) throws {
    process.executableURL = try Self.executable()
    process.arguments = arguments
    process.standardOutput = output
    try process.run()
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
  func line() -> String? {
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        defer { buffer.removeFirst(end + 1) }
        return String(decoding: buffer[..<end], as: UTF8.self)
      }
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { return nil }
      buffer += more
    }
  }

  func lines() -> [String] {
    var lines: [String] = []
    while let line = line() { lines.append(line) }
    return lines
  }

  func kill() { Foundation.kill(process.processIdentifier, SIGKILL) }

  /// Waits for its end.
  func end() -> Process.TerminationReason {
    process.waitUntilExit()
    return process.terminationReason
  }

  /// How often its main thread has gone to sleep, or was put aside for another.
  func wakeUps() throws -> Int {
    let path = "/proc/\(process.processIdentifier)/status"
    return try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
      .filter { $0.contains("ctxt_switches") }
      .compactMap { $0.split(separator: "\t").last.flatMap { Int($0) } }
      .reduce(0, +)
  }
}
