/// A row as it is stored: no types of the program are needed to read it.
package struct StoredRow: Hashable, Sendable {
  /// The key's encoded form.
  package let key: [UInt8]
  /// The row without the byte that names its encoding.
  package let value: [UInt8]
  /// Where it lies in the order of answers.
  package let cursor: ScanCursor

  /// The bytes that order it among rows of any partition.
  package var order: [UInt8] { cursor.order }
}

/// Where a scan has come to; the next page goes on behind it.
package struct ScanCursor: Hashable, Sendable {
  /// The order of a key: it holds in every partition.
  package let order: [UInt8]
  /// Finds the place again, in the task that gave it, without counting what lies before it: of an
  /// audit view, whose visible keys number repeats.
  package let place: [UInt8]?

  package init(order: [UInt8], place: [UInt8]? = nil) {
    self.order = order
    self.place = place
  }
}

/// A page of rows, and where the next one begins.
///
/// It can have fewer rows than were asked for, even none, where many keys without a row of the
/// store were passed, or where its bytes reached their limit: the cursor alone says whether there
/// may be more.
package struct RowPage: Hashable, Sendable {
  package var rows: [StoredRow] = []
  /// `nil` after the last page.
  package var cursor: ScanCursor?
}

/// Gathers a page until it has its rows or bytes, or has passed so many keys that its transaction
/// should end.
struct PageBuilder {
  let limit: Int
  let bytesMax: Int
  let keysOnly: Bool
  /// Keys that a page may pass beside those of its rows.
  private let passedMax: Int
  private var rows: [StoredRow] = []
  private var bytes = 0
  private var passed = 0
  private var last: ScanCursor?
  /// How many entries to ask a tree for: more and more while few of them have rows.
  private(set) var step: Int

  init(limit: Int, bytesMax: Int, keysOnly: Bool) {
    precondition(limit > 0, "a page has at least a row")
    // One row more says whether there is another page.
    self.limit = min(limit, .max - 1)
    self.bytesMax = bytesMax
    self.keysOnly = keysOnly
    step = min(512, self.limit + 1)
    passedMax = max(4_096, limit)
  }

  var isFull: Bool {
    rows.count > limit || bytes >= bytesMax || passed >= passedMax
  }

  /// Rows still wanted, the one too many included.
  var wanted: Int { limit + 1 - rows.count }

  /// Notes a key without a row of the store.
  mutating func pass(_ cursor: ScanCursor) {
    passed += 1
    last = cursor
  }

  mutating func add(_ row: StoredRow) {
    rows.append(row)
    bytes += row.value.count
    last = row.cursor
  }

  mutating func widen() { step = min(512, step * 2) }

  /// - Parameter isEnd: whether there was nothing left to walk.
  consuming func page(isEnd: Bool) -> RowPage {
    if rows.count > limit {
      let kept = [StoredRow](rows.prefix(limit))
      return RowPage(rows: kept, cursor: kept.last?.cursor)
    }
    return RowPage(rows: rows, cursor: isEnd ? nil : last)
  }
}
