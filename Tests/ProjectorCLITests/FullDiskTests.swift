import ChildProcesses
import Foundation
import SmallDisk
import Testing

/// Disks that are really full, under the state or under the log: one line says so, what was
/// committed stays, and once there is room all goes on.
@Suite(.serialized) struct FullDiskTests {
  private let tool: CommandLineTool

  init() throws { tool = try CommandLineTool() }

  private func disk(_ fileSystem: SmallDisk.FileSystem, mebibytes: Int = 8) throws -> SmallDisk {
    if !SmallDisk.isAvailable(fileSystem) {
      try Test.cancel("this process may not mount a disk of its own")
    }
    return try SmallDisk(fileSystem, mebibytes: mebibytes, at: "\(tool.directory.path)/disk")
  }

  /// Events of `count` orders, each created, every third confirmed.
  private func orders(_ numbers: Range<Int>) -> String {
    numbers.map { number in
      let time = "\"timestamp\":\(1_767_603_600_000 + number),"
      let created = """
        {"key":"o-\(number)","headers":{"eventType":"ORDER_CREATED","eventId":"a\(number)"},\(time)\
        "value":{"orderId":"o-\(number)","customerId":"c-\(number % 97)","totalAmount":\(number),\
        "items":[{"sku":"\(String(repeating: "A", count: 60))","qty":2}],\
        "occurredAt":"2026-01-05T09:00:00Z"}}

        """
      let confirmed = """
        {"key":"o-\(number)","headers":{"eventType":"ORDER_CONFIRMED","eventId":"b\(number)"},\(time)\
        "value":{"orderId":"o-\(number)","confirmedBy":"s","occurredAt":"2026-01-05T09:01:00Z"}}

        """
      return number % 3 == 0 ? created + confirmed : created
    }.joined()
  }

  private func produce(_ numbers: Range<Int>) throws {
    try tool.succeed(
      "produce", OrderFixture.topic, "--log", tool.log, "--partitions", "2",
      input: orders(numbers))
  }

  private func run(state: String, _ arguments: String...) throws -> CommandLineTool.Outcome {
    try tool.run(
      ["run", OrderFixture.topology, "--log", tool.log, "--state", state, "--until-end"] + arguments
    )
  }

  /// Everything that a run must end in: digests and what became of the records.
  private func result(_ state: String) throws -> [String] {
    let status = try tool.succeed("status", OrderFixture.topology, "--state", state)
    return [try tool.succeed("digest", OrderFixture.topology, "--state", state)]
      + status.split(separator: "\n").map(String.init).filter {
        $0.hasPrefix("0-") || $0.hasPrefix("consumed") || $0.hasPrefix("view")
      }
  }

  private func undisturbed() throws -> [String] {
    let state = "\(tool.directory.path)/undisturbed"
    #expect(try run(state: state).status == 0)
    return try result(state)
  }

  /// The one line that says what went wrong.
  private func error(of outcome: CommandLineTool.Outcome) -> String {
    let lines = outcome.errors.split(separator: "\n").filter { !$0.hasPrefix("info: ") }
    return lines.count == 1 ? String(lines[0]) : "\(lines.count) lines: \(outcome.errors)"
  }

  /// From the first directory to the tables, at a page's distance where LMDB makes its files.
  @Test(
    "a state that finds no room is made once there is some",
    arguments: SmallDisk.FileSystem.allCases,
    [0, 8, 12, 20, 76, 80, 84, 88, 100, 120, 160])
  func making(fileSystem: SmallDisk.FileSystem, kibibytes: Int) throws {
    let disk = try disk(fileSystem)
    try produce(0..<300)
    let state = disk.path + "/state"
    try disk.fill(leavingKibibytes: kibibytes)
    let full = try run(state: state)
    #expect(full.status == 1)
    let error = error(of: full)
    #expect(error.hasPrefix("error: ") && error.contains(": No space left on device"), "\(error)")
    #expect(error.hasSuffix("; free space, then repeat"), "\(error)")
    disk.clear()
    #expect(try run(state: state).status == 0)
    #expect(try result(state) == undisturbed())
  }

  @Test(
    "a commit that finds no room leaves the state as it was",
    arguments: SmallDisk.FileSystem.allCases, [12, 100, 900])
  func committing(fileSystem: SmallDisk.FileSystem, kibibytes: Int) throws {
    let disk = try disk(fileSystem, mebibytes: 16)
    let state = disk.path + "/state"
    try produce(0..<1_000)
    #expect(try run(state: state).status == 0)
    let before = try result(state)
    try produce(1_000..<4_000)
    try disk.fill(leavingKibibytes: kibibytes)
    for _ in 0..<2 {
      let full = try run(state: state, "--threads", "2")
      #expect(full.status == 1)
      let error = error(of: full)
      #expect(
        error.hasPrefix("error: committing: No space left on device (\(state)/")
          && error.hasSuffix("); free space, then repeat"), "\(error)")
      // Of two tasks one may have found room.
      if kibibytes < 100 { #expect(try result(state) == before) }
      #expect(
        try tool.run(
          "query", OrderFixture.topology, "orders", "get", "o-17", "--state", state
        ).status == 0)
    }
    disk.clear()
    #expect(try run(state: state).status == 0)
    #expect(try result(state) == undisturbed())
  }

  @Test("a log that finds no room keeps what it said", arguments: [0, 76, 80, 84, 200, 1_000])
  func log(kibibytes: Int) throws {
    let disk = try disk(.tmpfs)
    let log = "local:\(disk.path)/log"
    try disk.fill(leavingKibibytes: kibibytes)
    let lines = orders(0..<5_000).split(separator: "\n", omittingEmptySubsequences: true)
    func produce(_ lines: ArraySlice<Substring>) throws -> CommandLineTool.Outcome {
      try tool.run(
        "produce", OrderFixture.topic, "--log", log, input: lines.joined(separator: "\n"))
    }
    let full = try produce(lines[...])
    #expect(full.status == 1)
    let error = error(of: full)
    #expect(
      error.contains(": No space left on device (\(disk.path)/log); free space, then repeat"),
      "\(error)")
    // In the words of the message: the records that a producer need not send again.
    let said = error.firstMatch(of: /the first ([0-9,]+) records of the input are in the topic$/)
    let count = said.flatMap { Int($0.1.replacing(",", with: "")) } ?? 0
    #expect(count < lines.count && (kibibytes < 1_000 || count > 0))
    func consumed() throws -> [Substring] {
      try tool.succeed("consume", OrderFixture.topic, "--log", log, "--until-end")
        .split(separator: "\n")
    }
    if said != nil { #expect(try consumed().count == count) }
    disk.clear()
    #expect(try produce(lines[count...]).status == 0)
    let keys = try consumed().map { $0.firstMatch(of: /"key":"([^"]*)"/)?.1 }
    #expect(keys == lines.map { $0.firstMatch(of: /"key":"([^"]*)"/)?.1 })
  }

  /// Runs under a limit on the size of files, in KiB.
  private func run(state: String, limit: Int, _ arguments: String...) throws
    -> CommandLineTool.Outcome
  {
    let files = ["out", "err"].map { "\(tool.directory.path)/\(UUID().uuidString).\($0)" }
    let command = ([CommandLineTool.executable.path, "run", OrderFixture.topology] + arguments)
      .joined(separator: " ")
    let process = try ChildProcess(
      "/bin/bash",
      ["-c", "ulimit -f \(limit); exec \(command) --log \(tool.log) --state \(state) --until-end"],
      output: .file(files[0]), errors: .file(files[1]))
    guard case .exit(let status) = process.wait() else {
      throw CommandLineTool.Killed(arguments: arguments)
    }
    let texts = try files.map { try String(contentsOfFile: $0, encoding: .utf8) }
    return CommandLineTool.Outcome(status: status, output: texts[0], errors: texts[1])
  }

  @Test("the limit on a file's size is no full disk, and no signal", arguments: [8, 40, 100, 300])
  func fileSizeLimit(kibibytes: Int) throws {
    try produce(0..<1_000)
    let full = try run(state: tool.state, limit: kibibytes)
    #expect(full.status == 1)
    let error = error(of: full)
    #expect(
      error.contains(": File too large (")
        && error.hasSuffix("; raise the limit on a file's size (ulimit -f), then repeat"),
      "\(error)")
    #expect(try run(state: tool.state).status == 0)
    #expect(try result(tool.state) == undisturbed())
  }

  @Test("a snapshot that finds no room is told, and gone", arguments: [20, 200])
  func snapshot(kibibytes: Int) throws {
    try produce(0..<1_000)
    #expect(try run(state: tool.state).status == 0)
    let before = try result(tool.state)
    let full = try run(state: tool.state, limit: kibibytes, "--set", "snapshotInterval=1ms")
    #expect(full.status == 0)
    let warning = error(of: full)
    #expect(
      warning.hasPrefix("warning: no snapshot was taken, the ones before it stay: copying to "),
      "\(warning)")
    #expect(warning.contains(": File too large; raise the limit on a file's size"), "\(warning)")
    let snapshots = "\(tool.state)/\(OrderFixture.topology)/snapshots"
    #expect(try FileManager.default.contentsOfDirectory(atPath: snapshots).isEmpty)
    #expect(try result(tool.state) == before)
  }

  @Test("a snapshot that might fill the disk is not begun")
  func snapshotWithoutRoom() throws {
    let disk = try disk(.tmpfs, mebibytes: 16)
    let state = disk.path + "/state"
    try produce(0..<1_000)
    #expect(try run(state: state).status == 0)
    let before = try result(state)
    try disk.fill(leavingKibibytes: 1_000)
    let full = try run(state: state, "--set", "snapshotInterval=1ms")
    #expect(full.status == 0)
    #expect(error(of: full).contains("make room, or keep fewer with snapshotsKept"), "\(full)")
    #expect(try result(state) == before)
    disk.clear()
    #expect(try run(state: state, "--set", "snapshotInterval=1ms").status == 0)
    #expect(
      try tool.succeed("status", OrderFixture.topology, "--state", state).contains(
        "snapshot 000001"))
  }
}
