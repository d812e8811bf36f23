import ChildProcesses
import EmbeddedLog
import Foundation
import StateStore
import StreamCore
import Testing
import TopologyTesting

/// Damaged directories: an error, never a trap.
@Suite("damaged log directories", .serialized)
struct DamageTests {
  let directory: TemporaryDirectory
  private var file: String { directory.path + "/data.mdb" }

  init() throws {
    directory = try TemporaryDirectory()
    let log = try EmbeddedLog.open(directory.path, create: true)
    try log.createTopic("t", partitions: 2, retention: TopicRetention())
    let value = String(repeating: "value ", count: 50)
    for _ in 0..<6 { _ = try log.append(Array(repeating: value, count: 1_000), to: "t") }
    log.close()
  }

  /// Opens and reads the directory in a process of its own.
  private func outcome() throws -> (line: String?, ended: ChildProcess.Ending) {
    let worker = try Worker("open", directory.path)
    let lines = try worker.lines()
    return (lines.last, worker.end())
  }

  private func bytes() throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: file)))
  }

  private func write(_ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: file))
  }

  @Test("an undamaged one reads whole")
  func undamaged() throws {
    #expect(try outcome() == ("read 6000", .exit(0)))
  }

  @Test("a truncated file", arguments: UInt64(0)..<12)
  func truncated(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let whole = try bytes()
    let length = 1 + Int(random.next(upTo: UInt64(whole.count - 4_096)))
    try write(Array(whole[..<length]))
    let (line, ended) = try outcome()
    #expect(ended == .exit(0), "\(length) of \(whole.count) bytes")
    #expect(line?.hasPrefix("error") == true, "\(length) of \(whole.count) bytes: \(line ?? "")")
  }

  @Test("random bytes instead of a file", arguments: UInt64(0)..<8)
  func garbage(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let count = [1, 15, 100, 4_096, 8_191, 8_192, 70_000, 500_000][Int(seed)]
    try write((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    let (line, ended) = try outcome()
    #expect(ended == .exit(0))
    #expect(line?.hasPrefix("error") == true, "\(line ?? "")")
  }

  @Test("random bytes in the meta pages", arguments: UInt64(0)..<24)
  func meta(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var damaged = try bytes()
    // Magic, version, page size: for each of the two pages.
    let fields = [16, 17, 18, 19, 20, 40, 41, 42]
    let page = Int(seed) % 2 * 4_096
    let position = page + fields[Int(seed) / 3]
    damaged[position] ^= UInt8(1 + random.next(upTo: 255))
    try write(damaged)
    let (line, ended) = try outcome()
    #expect(ended == .exit(0))
    #expect(line?.hasPrefix("error") == true, "byte \(position): \(line ?? "")")
  }

  @Test("a changed byte among the records", arguments: UInt64(0)..<16)
  func records(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var damaged = try bytes()
    let needle = Array("value value value".utf8)
    var position = Int(random.next(upTo: UInt64(damaged.count - 200_000)))
    while !damaged[position...].starts(with: needle) { position += 1 }
    damaged[position + 3] ^= UInt8(1 + random.next(upTo: 255))
    try write(damaged)
    let (line, ended) = try outcome()
    #expect(ended == .exit(0))
    #expect(
      line?.contains("the records of t-0 from offset") == true, "byte \(position): \(line ?? "")")
  }

  @Test("a page of zeroes, as a lost write leaves it", arguments: UInt64(0)..<16)
  func lostPage(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    var damaged = try bytes()
    let page = 2 + Int(random.next(upTo: UInt64(damaged.count / 4_096 - 2)))
    for index in page * 4_096..<(page + 1) * 4_096 { damaged[index] = 0 }
    try write(damaged)
    let (line, ended) = try outcome()
    #expect(ended == .exit(0), "page \(page)")
    // Where the page was free, nothing is lost.
    #expect(line == "read 6000" || line?.hasPrefix("error") == true, "\(line ?? "")")
  }

  @Test("a directory in the file's place")
  func directoryAsFile() throws {
    try FileManager.default.removeItem(atPath: file)
    try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
    let (line, ended) = try outcome()
    #expect(ended == .exit(0))
    #expect(line?.hasPrefix("error") == true, "\(line ?? "")")
  }

  private func bytes(of text: String) -> [UInt8] { Array(text.utf8) }

  @Test("the environment of something else")
  func foreign() throws {
    let other = try TemporaryDirectory()
    do {
      let environment = try Environment.open(other.path)
      _ = try environment.table("rows")
    }
    for create in [true, false] {
      let error = #expect(throws: LogError.self) {
        try EmbeddedLog.open(other.path, create: create)
      }
      #expect(error?.code == .corrupt)
      #expect(error?.message.contains("is no log") == true, "\(error?.message ?? "")")
    }
    #expect(try Environment.open(other.path).existingTable("log") == nil)
  }

  @Test("a log of a newer format")
  func newer() throws {
    let other = try TemporaryDirectory()
    do {
      let environment = try Environment.open(other.path)
      let table = try environment.table("log")
      var value: [UInt8] = [13, 0, 0, 0] + bytes(of: "projector-log") + [3, 0, 0, 0]
      let hash = value.withUnsafeBytes { hash64($0.bytes) }
      withUnsafeBytes(of: hash.littleEndian) { value.append(contentsOf: $0) }
      let transaction = try WriteTransaction(environment)
      try bytes(of: "format").withUnsafeBytes { key in
        try value.withUnsafeBytes { try transaction.operations.put(table, key.bytes, $0.bytes) }
      }
      try transaction.commit()
    }
    let error = #expect(throws: LogError.self) { try EmbeddedLog.open(other.path, create: true) }
    #expect(error?.code == .corrupt)
    #expect(
      error?.message
        == "\(other.path) is a log of format 3, this program reads 2; use the version that wrote it"
    )
  }
}
