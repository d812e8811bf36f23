import StateStore
import StreamCore

/// The tables of a log's environment.
///
///     log           format → name and version; doomed topic → nothing
///     topics        name → topic
///     partitions    (topic, partition) → its offsets and size
///     blocks        (topic, partition, first offset) → records
///     sequences     (topic, key) → how many records were appended with a sequence
///     groups        (topic, partition, group) → offset
///     producers     producer → last sequence, its results
///     transactions  transactional id → epoch
struct LogTables {
  let log: Table
  let topics: Table
  let partitions: Table
  let blocks: Table
  let sequences: Table
  let groups: Table
  let producers: Table
  let transactions: Table

  /// In the order of the properties.
  private static let names = [
    "log", "topics", "partitions", "blocks", "sequences", "groups", "producers", "transactions",
  ]
  private static let name = "projector-log"
  private static let version: UInt32 = 2
  static let formatKey = Array("format".utf8)

  /// Opens the tables, or makes them in an environment that is empty.
  ///
  /// - Throws: ``LogError`` with `.corrupt` for the environment of something else or of a newer
  ///   format, or ``StoreError``.
  init(_ environment: Environment, create: Bool) throws {
    let directory = environment.directory
    if try environment.existingTable(Self.names[0]) == nil {
      if create {
        // All of it at once: another process that opens it, or finds it after this one was killed,
        // sees a log or nothing.
        _ = try environment.makeTables(Self.names) { transaction, tables in
          var writer = ByteWriter()
          writer.text(Self.name)
          writer.number(Self.version)
          try transaction.put(tables[0], Self.formatKey.raw, writer.sealed().raw)
        }
      } else if try environment.isEmpty {
        throw LogError(
          .unreachable, "there is no log in \(directory) yet; name another directory or create it")
      }
    }
    let foreign = LogError(
      .corrupt, "\(directory) holds an LMDB environment that is no log; name another directory")

    func table(_ name: String) throws -> Table {
      guard let table = try environment.existingTable(name) else { throw foreign }
      return table
    }
    log = try table("log")
    try Self.checkFormat(environment, log, foreign)
    topics = try table("topics")
    partitions = try table("partitions")
    blocks = try table("blocks")
    sequences = try table("sequences")
    groups = try table("groups")
    producers = try table("producers")
    transactions = try table("transactions")
  }

  private static func checkFormat(
    _ environment: Environment, _ table: Table, _ foreign: LogError
  ) throws {
    guard let stored = try read(environment, table) else { throw foreign }
    var reader = try ByteReader(sealed: stored, "the format record of \(environment.directory)")
    guard try reader.text() == name else { throw foreign }
    let found = try reader.number(UInt32.self)
    guard found == version else {
      throw LogError(
        .corrupt,
        "\(environment.directory) is a log of format \(found), this program reads \(version); "
          + "use the version that wrote it")
    }
  }

  private static func read(_ environment: Environment, _ table: Table) throws -> [UInt8]? {
    let transaction = try ReadTransaction(environment)
    return try transaction.operations.value(table, formatKey.raw)
  }
}
