import StateStore
import Topology

/// The kept records of a topology, by task and number, read in pages: however many there are, a
/// page of them is in memory.
struct KeptRecords {
  let state: TopologyState
  let list: KeptList
  /// `nil` for all.
  var reason: String?

  private static let pageEntries = 256
  private static let pageBytes = 4 << 20

  /// Calls `body` with each record behind `cursor`, until it returns `false`.
  func forEach(
    after cursor: DeadLetterID?, _ body: (DeadLetterID, KeptRecord) throws -> Bool
  ) throws {
    for task in state.tasks {
      var last: Int64 = 0
      if let cursor {
        if task.name < cursor.task { continue }
        if task.name == cursor.task { last = cursor.number }
      }
      while true {
        let page = try task.read {
          try $0.entries(
            list.rawValue, after: last, limit: Self.pageEntries, bytesMax: Self.pageBytes)
        }
        guard let end = page.last?.number else { break }
        for entry in page {
          let record = try KeptRecord(entry.bytes)
          guard reason == nil || reason == record.reasonWord else { continue }
          let id = DeadLetterID(task: task.name, number: entry.number)
          if try !body(id, record) { return }
        }
        last = end
      }
    }
  }

  /// The record of an id, found by its number.
  ///
  /// - Throws: ``Failure``: `.stateRefused` where its partition is not here, `.notFound`.
  func record(_ id: DeadLetterID) throws -> KeptRecord {
    let task = try state.task(id.task)
    guard let entry = try task.read({ try $0.entry(list.rawValue, id.number) }) else {
      throw Failure(
        .notFound, "there is no \(list.noun) '\(id)'", at: state.directory.path,
        todo: "`list` prints those there are")
    }
    return try KeptRecord(entry.bytes)
  }
}
