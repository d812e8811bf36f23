import ChildProcesses
import Foundation
import Testing

/// "The next start names them and tries each once more; after a second trap there the unit goes to
/// the `process` policy (reason `trapped`) without running, journalled, in rebuilds of the lineage and
/// `verify` too" (DESIGN, "Errors").
@Suite("Runs that trap")
struct TrappedRunTests {
  private static let records = ["a:1", "a:trap", "a:2", "b:3"]

  @Test(
    "two deaths, and the third start goes on with a dead letter",
    arguments: [
      ("trap", SIGILL), ("index", SIGILL), ("arithmetic", SIGILL), ("abort", SIGABRT),
      ("stack", SIGSEGV),
    ])
  func deadLetter(way: String, signal: Int32) throws {
    let site = try TrapSiteDirectory(Self.records)
    let first = try site.run("run", way: way)
    #expect(first.ending == .signal(signal))
    #expect(!first.lines.contains { $0.contains("the handler of") })
    #expect(try site.show().last == "lines 1")
    let second = try site.run("run", way: way)
    #expect(second.ending == .signal(signal))
    #expect(
      second.lines.first
        == "the handler of in-0@1 in task in-0 ended the process: it is tried once more")
    let third = try site.run("run", way: way)
    #expect(third.ending == .exit(0), "\(third.lines)")
    #expect(third.lines.first?.contains("in-0@1 in task in-0 ended the process twice") == true)
    let shown = [
      "texts a 1,2,", "texts b 3,", "dead 1 trapped", "consumed 4", "trapped 1",
      "deadLettered{trapped} 1", "lines 0",
    ]
    #expect(try site.show() == shown)
    // Nothing runs it again: neither a verification nor a rebuild of the lineage.
    #expect(try site.run("verify", way: way).lines == ["[true]"])
    #expect(try site.run("rewind", way: way).ending == .exit(0))
    #expect(try site.show() == shown)
    #expect(try site.run("verify", way: way).lines == ["[true]"])
  }

  @Test("one that goes through at the second try is forgotten, and may trap twice again")
  func forgiven() throws {
    let site = try TrapSiteDirectory(Self.records)
    #expect(try site.run("run", way: "trap").ending == .signal(SIGILL))
    #expect(try site.run("run").ending == .exit(0))
    #expect(
      try site.show() == ["texts a 1,trap,2,", "texts b 3,", "consumed 4", "lines 0"])
  }

  @Test("`parkKey` bars its key; a retry that traps twice leaves it as it was, and may be repeated")
  func parkKey() throws {
    let site = try TrapSiteDirectory(Self.records)
    for _ in 0..<2 { _ = try site.run("run", way: "trap", policy: "parkKey") }
    #expect(try site.run("run", way: "trap", policy: "parkKey").ending == .exit(0))
    let parked = [
      "texts a 1,", "texts b 3,", "dead 1 trapped", "held 2", "consumed 4",
    ]
    let shown = try site.show(policy: "parkKey")
    #expect(shown == parked + ["trapped 1", "deadLettered{trapped} 1", "lines 0"])
    for lines in 1...2 {
      #expect(try site.run("retry", way: "trap", policy: "parkKey").ending == .signal(SIGILL))
      #expect(try site.show(policy: "parkKey").last == "lines \(lines)")
    }
    let third = try site.run("retry", way: "trap", policy: "parkKey")
    #expect(third.ending == .exit(0))
    #expect(third.lines.last == "retried: deadLettered 1")
    #expect(
      try site.show(policy: "parkKey")
        == parked + ["trapped 2", "deadLettered{trapped} 1", "lines 0"])
    #expect(try site.run("verify", way: "trap", policy: "parkKey").lines == ["[true]"])
    // With the handler corrected it runs, for nothing is held against it any more.
    #expect(try site.run("retry", policy: "parkKey").lines.last == "retried: applied 1")
    #expect(
      try site.show(policy: "parkKey")
        == ["texts a 1,trap,2,", "texts b 3,", "consumed 4", "trapped 2", "lines 0"])
  }

  @Test("`skip` keeps nothing of it")
  func skip() throws {
    let site = try TrapSiteDirectory(Self.records)
    for _ in 0..<2 { _ = try site.run("run", way: "trap", policy: "skip") }
    #expect(try site.run("run", way: "trap", policy: "skip").ending == .exit(0))
    #expect(
      try site.show(policy: "skip") == [
        "texts a 1,2,", "texts b 3,", "consumed 4", "trapped 1", "deadLettered{skipped} 1",
        "lines 0",
      ])
    #expect(try site.run("verify", way: "trap", policy: "skip").lines == ["[true]"])
  }

  @Test("`fail` stops before it, until the handler is corrected and the file removed")
  func fail() throws {
    let site = try TrapSiteDirectory(Self.records)
    for _ in 0..<2 {
      #expect(try site.run("run", way: "trap", policy: "fail").ending == .signal(SIGILL))
    }
    for _ in 0..<2 {
      let run = try site.run("run", way: "trap", policy: "fail")
      #expect(run.ending == .exit(1))
      #expect(run.lines.last?.contains("ended the process twice") == true)
      #expect(run.lines.last?.contains("state/traps/trapped so that it is run again") == true)
    }
    #expect(try site.show(policy: "fail") == ["texts a 1,", "consumed 1", "lines 2"])
    try FileManager.default.removeItem(atPath: site.path + "/state/traps/trapped")
    #expect(try site.run("run", policy: "fail").ending == .exit(0))
    #expect(
      try site.show(policy: "fail") == ["texts a 1,trap,2,", "texts b 3,", "consumed 4", "lines 0"])
  }

  @Test(
    "a timer's firing likewise", arguments: [("deadLetter", ["dead -1 trapped"]), ("skip", [])])
  func firing(policy: String, kept: [String]) throws {
    let site = try TrapSiteDirectory(["t:timer", "u:timer", "a:1", "a:2"])
    for _ in 0..<2 {
      #expect(try site.run("run", way: "index", policy: policy).ending == .signal(SIGILL))
    }
    let third = try site.run("run", way: "index", policy: policy)
    #expect(third.ending == .exit(0))
    #expect(
      third.lines.first
        == "the handler of a timer of 'remind' in task in-0 ended the process twice: it is not run "
        + "any more and goes to its `process` policy")
    let texts = ["texts a 1,2,", "texts t timer,", "texts u timer,", "seen u fired"]
    #expect(
      try site.show(policy: policy) == texts + kept + ["consumed 4", "trapped 1", "lines 0"])
    #expect(try site.run("verify", way: "index", policy: policy).lines == ["[true]"])
  }

  @Test("a retry of a record that died otherwise traps likewise, and is then dead of that")
  func retry() throws {
    let site = try TrapSiteDirectory(Self.records)
    #expect(try site.run("run", way: "throw").ending == .exit(0))
    for _ in 0..<2 { #expect(try site.run("retry", way: "trap").ending == .signal(SIGILL)) }
    #expect(try site.run("retry", way: "trap").lines.last == "retried: deadLettered 1")
    #expect(
      try site.show() == [
        "texts a 1,2,", "texts b 3,", "dead 1 trapped", "consumed 4", "trapped 1",
        "deadLettered{trapped} 1", "lines 0",
      ])
    #expect(try site.run("verify", way: "trap").lines == ["[true]"])
  }

  @Test("a rebuild that traps twice is filled by the third one, and the old state stays till then")
  func rebuild() throws {
    let site = try TrapSiteDirectory(Self.records)
    #expect(try site.run("run").ending == .exit(0))
    for _ in 0..<2 { #expect(try site.run("rewind", ["2"], way: "trap").ending == .signal(SIGILL)) }
    #expect(try site.show().first == "texts a 1,trap,2,")
    let third = try site.run("rewind", ["2"], way: "trap")
    #expect(third.ending == .exit(0), "\(third.lines)")
    #expect(try site.run("verify", ["2"], way: "trap").lines == ["[true]"])
  }

  @Test("a verification that traps writes nothing down")
  func verification() throws {
    let site = try TrapSiteDirectory(Self.records)
    #expect(try site.run("run").ending == .exit(0))
    #expect(try site.run("verify", way: "trap").ending == .signal(SIGILL))
    #expect(try site.show().last == "lines 0")
  }
}
