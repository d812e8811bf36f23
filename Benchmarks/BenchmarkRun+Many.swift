import Glibc

/// What grows with the number of partitions, or of dead letters, and should not.
extension BenchmarkRun {
  private static let partitions = 2_000
  private static let letters = 1_000_000

  func manyPartitions() throws {
    let url = "local:\(work)/many"
    let events = 200_000
    remove("many")
    remove("state")
    _ = try run("generate", url, "benchmark", "\(events)", "\(Self.partitions)")
    let name = "\(Table.grouped(Self.partitions)) partitions"
    let first = try run("project", url, "\(work)/state", "audit", "end")
    add("\(name), first start", "\(Table.decimal(first["open"], 1)) s", "≤ 10 s")
    add(
      "… \(Table.grouped(events)) events", megabytes(first.anonymousBytesMax), "≤ 500 MB",
      wall: first.wallSeconds, anonymous: first.anonymousBytesMax)
    let engine = try ChildProcess(["project", url, "\(work)/state", "audit", "stay"])
    let open = try engine.wait(for: "open")
    add("… restart", "\(Table.decimal(open, 1)) s", "≤ 3 s")
    _ = try engine.wait(for: "ready")
    usleep(3_000_000)
    let (before, start) = (engine.cpuSeconds, Clock.now)
    usleep(10_000_000)
    let idle = (engine.cpuSeconds - before) / (Clock.now - start)
    let memory = ProcFile.field("RssAnon", of: "/proc/\(engine.pid)/status") * 1_024
    add(
      "… idle", "\(Table.decimal(idle * 100, 2)) % of a core, \(megabytes(memory))",
      "≤ 2 %, ≤ 300 MB", anonymous: memory)
    let appends = 200
    let used = engine.cpuSeconds
    _ = try run("trickle", url, "\(appends)")
    usleep(1_000_000)
    let each = (engine.cpuSeconds - used) / Double(appends)
    add("… one append", "\(Table.decimal(each * 1_000, 2)) ms of a core", "≤ 1 ms")
    engine.signal(SIGKILL)
    _ = try engine.finish(orKilled: true)
    remove("many")
    remove("state")
  }

  func manyDeadLetters() throws {
    let url = "local:\(work)/letters"
    remove("letters")
    remove("state")
    _ = try run("letters", url, "\(Self.letters)")
    _ = try run("project", url, "\(work)/state", "audit", "end")
    let retry = try run("retry", url, "\(work)/state")
    guard Int(retry["letters"]) == Self.letters else {
      throw BenchmarkError("\(retry["letters"]) dead letters of \(Self.letters)")
    }
    let name = "\(Table.grouped(Self.letters)) dead letters"
    add("\(name), start", "\(Table.decimal(retry["open"], 2)) s", "≤ 1 s")
    add(
      "… tried again", Table.grouped(Int(Double(Self.letters) / retry["seconds"])) + " a second",
      "stated", wall: retry["seconds"], interval: Double(Self.letters) / max(1, retry["commits"]),
      anonymous: retry.anonymousBytesMax)
    remove("letters")
    remove("state")
  }

  private func megabytes(_ bytes: Int) -> String { Table.decimal(Double(bytes) / 1e6, 0) + " MB" }

  private func add(
    _ figure: String, _ reached: String, _ target: String, wall: Double? = nil,
    interval: Double? = nil, anonymous: Int? = nil
  ) {
    table.add(
      figure, reached, target: target, wall: wall, interval: interval, anonymous: anonymous)
  }
}
