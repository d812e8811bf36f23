import ArgumentParser
import Glibc
import JSONSerdes
import Logging
import StateStore
import StreamCore
import Topology

struct DeadLetters: Verb {
  enum Operation: String, ExpressibleByArgument, CaseIterable { case list, show, retry }

  static let configuration = CommandConfiguration(
    commandName: "dead-letters",
    abstract: "Lists, shows and retries records that failed.",
    discussion: """
      dead-letters TOPOLOGY list
      dead-letters TOPOLOGY show [--id ID...]
      dead-letters TOPOLOGY retry [--id ID...] [--dry-run]

      `retry` asks the process that runs the topology; where none does, it needs --log.
      """)

  @Argument(help: "A topology with state here.") var topology: String
  @Argument(help: "list, show or retry.") var operation: Operation
  @Option(
    name: .customLong("id"), parsing: .upToNextOption,
    help: "Only these, as `list` prints them.")
  var ids: [String] = []
  @Flag(help: "Only say what would be retried.") var dryRun = false
  @Option(help: "table or json.") var format = TableFormat.table
  @OptionGroup var log: LogOption
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("log", log.url), ("state", state.directory)] }

  private struct Letter {
    let id: DeadLetterID
    let kept: KeptRecord
  }

  func run(in session: Session) throws {
    if dryRun, operation != .retry {
      throw Failure.usage("only `retry` has a dry run", todo: "leave out --dry-run")
    }
    let directory = try session.stateDirectory(of: topology)
    let wanted = try ids.map { text in
      guard let id = DeadLetterID(parsing: text) else {
        throw Failure.usage(
          "'\(text)' is no id", todo: "take one that `list` prints, as order-events-2-15")
      }
      return id
    }
    let letters = try read(directory, wanted)
    switch operation {
    case .list: try list(letters, session.output)
    case .show: for letter in letters { try session.output.write(Self.object(letter) + "\n") }
    case .retry where dryRun: try list(letters, session.output)
    case .retry: try retry(wanted, directory, session)
    }
  }

  private func read(_ directory: StateDirectory, _ wanted: [DeadLetterID]) throws -> [Letter] {
    var letters: [Letter] = []
    for task in try TopologyState(directory).tasks {
      var last: Int64 = 0
      while true {
        let page = try task.read { try $0.entries("deadLetters", after: last, limit: 1_000) }
        for entry in page {
          let id = DeadLetterID(task: TaskName(task.identity), number: entry.number)
          guard wanted.isEmpty || wanted.contains(id) else { continue }
          letters.append(Letter(id: id, kept: try KeptRecord(entry.bytes)))
        }
        guard let end = page.last else { break }
        last = end.number
      }
    }
    if let missing = wanted.first(where: { id in !letters.contains { $0.id == id } }) {
      throw Failure(
        .notFound, "there is no dead letter '\(missing)'", at: directory.path,
        todo: "`list` prints those there are")
    }
    return letters
  }

  private func list(_ letters: [Letter], _ output: StandardOutput) throws {
    guard format == .table else {
      for letter in letters { try output.write(Self.object(letter) + "\n") }
      return
    }
    var table = TextTable(["ID", "RECORD", "KEY", "OPERATOR", "REASON"])
    for letter in letters {
      let record = letter.kept.record
      table.add([
        "\(letter.id)", "\(record.topicPartition)@\(record.offset)",
        record.key.map { String(decoding: $0, as: UTF8.self) } ?? "-",
        letter.kept.operatorName.isEmpty ? "source" : letter.kept.operatorName,
        letter.kept.explanation,
      ])
    }
    try output.write(table.text)
  }

  private static func object(_ letter: Letter) -> String {
    var object = JSONText.Object()
    object.add("id", "\(letter.id)")
    if case .failed(let reason, let message, let parks) = letter.kept.why {
      object.add("reason", reason)
      object.add("message", message)
      object.add("parksKey", parks)
    }
    object.add("operator", letter.kept.operatorName.isEmpty ? nil : letter.kept.operatorName)
    object.add("eventId", letter.kept.eventID)
    object.add("attempts", letter.kept.attempts)
    var line: [UInt8] = []
    RecordLinePrinter().append(letter.kept.record, to: &line)
    if line.last == 0x0a { line.removeLast() }
    object.add("record", json: String(decoding: line, as: UTF8.self))
    return object.text
  }

  private func retry(_ ids: [DeadLetterID], _ directory: StateDirectory, _ session: Session) throws
  {
    if try OwnerRequest.isOwned(directory) {
      let list = ids.map(\.description).joined(separator: ",")
      let request = OwnerRequest(
        directory: directory, verb: "retry", arguments: list.isEmpty ? [:] : ["ids": list])
      try session.output.write(try request.perform() + "\n")
      return
    }
    let log = try session.openLog()
    defer { log.close() }
    let owner = try TopologyOwner(
      session.topology(topology), stateRoot: try session.settings.require("state"), log: log,
      options: try session.runOptions(sharing: 1), clock: SystemWallClock(),
      report: { [logger = session.logger] in logger.info("\($0)") })
    let list = ids.map(\.description).joined(separator: ",")
    let reply = try owner.carryOut(
      Request(
        id: "\(SystemWallClock().now().milliseconds)-\(getpid())", verb: "retry",
        arguments: list.isEmpty ? [:] : ["ids": list]))
    guard reply.succeeded else { throw Failure(.failed, reply.message) }
    try session.output.write(reply.message + "\n")
  }
}
