import Foundation
import Testing

/// Damaged files as each verb meets them: one line that says so, a status, and never a trap. Single
/// pages are the StateStore's tests.
@Suite(.serialized) struct DamageTests {
  enum Damage: String, CaseIterable {
    case cutInHalf, zeroed, noise

    func apply(to file: String) throws {
      var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: file)))
      // The two pages that LMDB looks for first stay.
      switch self {
      case .cutInHalf: bytes.removeLast(bytes.count / 2)
      case .zeroed: for index in 8_192..<bytes.count { bytes[index] = 0 }
      case .noise:
        var number: UInt64 = 1
        for index in 8_192..<bytes.count {
          number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
          bytes[index] = UInt8(truncatingIfNeeded: number >> 40)
        }
      }
      try Data(bytes).write(to: URL(fileURLWithPath: file))
    }
  }

  private let tool: CommandLineTool
  private var topologyState: String { "\(tool.state)/\(OrderFixture.topology)" }

  /// A state with a snapshot, and a log that has gone on.
  init() throws {
    var tool = try CommandLineTool()
    tool.environment["SWIFT_BACKTRACE"] = "enable=no"
    self.tool = tool
    try tool.produceOrders()
    #expect(try tool.runOrders("--set", "snapshotInterval=1ms").status == 0)
    try tool.produceOrders()
  }

  /// Runs a command line and expects an error's line with one of these statuses.
  private func run(_ command: String, _ statuses: [Int32]) throws {
    let arguments = command.replacing("TOPOLOGY", with: OrderFixture.topology)
      .replacing("LOG", with: "--log \(tool.log)").replacing("STATE", with: "--state \(tool.state)")
    let outcome = try tool.run(arguments.split(separator: " ").map(String.init))
    #expect(statuses.contains(outcome.status), "\(command): \(outcome)")
    guard outcome.status != 0 else { return }
    let lines = outcome.errors.split(separator: "\n").filter { !$0.hasPrefix("info: ") }
    #expect(lines.count == 1 && lines[0].hasPrefix("error: "), "\(command): \(outcome.errors)")
  }

  @Test(
    "a damaged state", arguments: Damage.allCases,
    [
      "query TOPOLOGY orders scan STATE", "query TOPOLOGY orders get o-1 STATE",
      "query TOPOLOGY orders index byCustomer STATE", "views TOPOLOGY STATE",
      "status TOPOLOGY STATE", "digest TOPOLOGY STATE", "trace TOPOLOGY e3 STATE",
      "dead-letters TOPOLOGY list STATE", "verify TOPOLOGY LOG STATE",
      "run TOPOLOGY LOG STATE --until-end", "rewind TOPOLOGY --to earliest LOG STATE",
    ])
  func state(damage: Damage, command: String) throws {
    try damage.apply(to: "\(topologyState)/000001/order-events-0/data.mdb")
    try run(command, [5])
  }

  @Test("a damaged log", arguments: Damage.allCases)
  func log(damage: Damage) throws {
    try damage.apply(to: "\(tool.directory.path)/log/data.mdb")
    for command in [
      "consume order-events LOG --until-end", "topics list LOG", "verify TOPOLOGY LOG STATE",
      "run TOPOLOGY LOG STATE --until-end", "rewind TOPOLOGY --to earliest LOG STATE",
    ] {
      try run(command, [6])
    }
    // The views are still there to be read.
    try run("query TOPOLOGY orders scan STATE", [0])
  }

  @Test("a damaged snapshot", arguments: Damage.allCases)
  func snapshot(damage: Damage) throws {
    let file = "\(topologyState)/snapshots/000001/order-events-0/data.mdb"
    #expect(FileManager.default.fileExists(atPath: file))
    try damage.apply(to: file)
    // It is as if it were not there.
    try run("status TOPOLOGY STATE", [0])
    try run("rewind TOPOLOGY --to order-events-0@9 LOG STATE", [0])
    try run("run TOPOLOGY LOG STATE --until-end", [0])
  }
}
