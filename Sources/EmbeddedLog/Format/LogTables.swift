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

  private static let name = "projector-log"
  private static let version: UInt32 = 2
  static let formatKey = Array("format".utf8)

  /// Opens the tables, or makes them in an environment that is empty.
  ///
  /// - Throws: ``LogError`` with `.corrupt` for the environment of something else or of a newer
  ///   format, or ``StoreError``.
  init(_ environment: Environment, create: Bool) throws {
    let foreign = LogError(
      .corrupt,
      "\(environment.directory) holds an LMDB environment that is no log; name another directory")
    let existing = try environment.existingTable("log")
    // The table of this name is the first thing a log writes.
    if existing == nil && (environment.lastTransaction > 0 || !create) { throw foreign }

    func table(_ name: String) throws -> Table {
      if let table = try environment.existingTable(name) { return table }
      guard create else { throw foreign }
      return try environment.table(name)
    }
    log = try table("log")
    try Self.checkFormat(environment, log, create: create, foreign)
    topics = try table("topics")
    partitions = try table("partitions")
    blocks = try table("blocks")
    sequences = try table("sequences")
    groups = try table("groups")
    producers = try table("producers")
    transactions = try table("transactions")
  }

  private static func checkFormat(
    _ environment: Environment, _ table: Table, create: Bool, _ foreign: LogError
  ) throws {
    let stored = try read(environment, table)
    guard let stored else {
      guard create else { throw foreign }
      let transaction = try WriteTransaction(environment)
      // Another process may have been faster; the bytes are the same.
      var writer = ByteWriter()
      writer.text(name)
      writer.number(version)
      try transaction.operations.put(table, formatKey.raw, writer.sealed().raw)
      try transaction.commit()
      return
    }
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
