package import StateStore
import StreamCore

/// The digests of all views of a topology's state, with their indexes checked on the way.
package struct StateDigest: Sendable {
  /// A row's bytes in the form that equal rows share: decimals without trailing zeros, names
  /// sorted.
  package typealias Canonical = @Sendable ([UInt8]) throws -> [UInt8]

  private let topology: Topology
  private let canonical: Canonical

  package init(_ topology: Topology, canonical: @escaping Canonical) {
    self.topology = topology
    self.canonical = canonical
  }

  /// One digest a view, by name; each task's part is one consistent view of its last commit.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.corrupted` where index entries are not those of the
  ///   rows, or a row cannot be read.
  package func digests(of tasks: [StateReader]) throws -> [ViewDigest] {
    var digests: [String: ViewDigest] = [:]
    for task in tasks {
      try task.read { view in
        for store in try view.stores() where store.isPublished {
          var digest = digests[store.name] ?? ViewDigest(store.name)
          try add(store, of: view, to: &digest, in: task.directory)
          digests[store.name] = digest
        }
      }
    }
    return digests.values.sorted { $0.name < $1.name }
  }

  /// The total over all views.
  package static func total(_ digests: [ViewDigest]) -> ViewDigest {
    digests.reduce(into: ViewDigest("all")) { $0.add($1) }
  }

  private func add(
    _ store: StateStore.StoreDescription, of view: StateView, to digest: inout ViewDigest,
    in directory: String
  ) throws {
    let declaration = topology.declarations.first { $0.name == store.name }
    var expected: [String: EntrySum] = [:]
    var cursor: ScanCursor?
    repeat {
      let page = try view.scan(store, cursor: cursor, limit: 1_000)
      for row in page.rows {
        do {
          digest.add(key: Array(try KeyText.text(row.key).utf8), row: try canonical(row.value))
          for (index, entry) in try declaration?.indexEntries(ofRow: row.value) ?? [] {
            expected[index, default: EntrySum()].add(entry + row.key)
          }
        } catch let error as SerdeError {
          throw StoreError(
            .corrupted,
            "a row is none of its type: \(error); rebuild with `rewind --to earliest`",
            store: "\(store.name) in \(directory)")
        }
      }
      cursor = page.cursor
    } while cursor != nil
    for index in store.indexes {
      let actual = try entries(index.name, of: store, view)
      guard actual == expected[index.name] ?? EntrySum() else {
        throw StoreError(
          .corrupted,
          "index '\(index.name)' holds \(actual.count) entries that are not those of the rows; "
            + "rebuild with `rewind --to earliest`", store: "\(store.name) in \(directory)")
      }
    }
  }

  private func entries(
    _ index: String, of store: StateStore.StoreDescription, _ view: StateView
  ) throws -> EntrySum {
    var sum = EntrySum()
    var cursor: [UInt8]?
    repeat {
      let page = try view.scanIndex(store, index, cursor: cursor, limit: 1_000)
      for row in page.rows {
        sum.add(row.entry)
      }
      cursor = page.cursor
    } while cursor != nil
    return sum
  }
}

/// Entries of an index, whatever their order.
private struct EntrySum: Equatable {
  private(set) var count = 0
  private var high: UInt64 = 0
  private var low: UInt64 = 0

  mutating func add(_ entry: [UInt8]) {
    let hash = Hash128(entry.span.bytes)
    high &+= hash.high
    low &+= hash.low
    count += 1
  }
}
