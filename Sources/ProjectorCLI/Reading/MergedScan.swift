/// A row on its way out, with the bytes that order it among the rows of a scan.
struct ScannedRow {
  let order: [UInt8]
  let key: [UInt8]
  let value: [UInt8]
}

/// Rows of several partitions in one order; each page of a partition is read in a transaction of
/// its own, so that a long scan keeps no reader alive.
final class MergedScan {
  /// Reads rows of one partition behind a position, in order; without their values if `keysOnly`.
  typealias Fetch =
    (_ after: [UInt8]?, _ limit: Int, _ keysOnly: Bool) throws -> [ScannedRow]

  private struct Source {
    let fetch: Fetch
    var page: ArraySlice<ScannedRow> = []
    /// The last row taken from it.
    var taken: [UInt8]?
    /// Whether nothing is behind the page at hand.
    var isAtEnd = false
  }

  private var sources: [Source]
  private let isReversed: Bool
  private let pageRows: Int

  /// - Parameters:
  ///   - pageRows: rows of a page; no more than are wanted, so that little is read in vain.
  ///   - cursor: goes on behind it.
  init(
    _ partitions: [Fetch], isReversed: Bool, pageRows: Int, after cursor: Cursor?
  ) {
    self.isReversed = isReversed
    self.pageRows = max(1, min(pageRows, 1_000))
    sources = partitions.map { Source(fetch: $0) }
    for index in sources.indices { sources[index].taken = cursor?.order }
  }

  func next() throws -> ScannedRow? { try next(pageRows, keysOnly: false) }

  /// Passes up to `count` rows, before the first ``next()``: walks their keys and reads no values.
  ///
  /// - Returns: how many rows there were to pass.
  @discardableResult
  func skip(_ count: Int) throws -> Int {
    var passed = 0
    while passed < count, try next(min(count - passed, 1_000), keysOnly: true) != nil {
      passed += 1
    }
    // Their values are not read yet.
    for index in sources.indices where !sources[index].page.isEmpty {
      sources[index].page = []
      sources[index].isAtEnd = false
    }
    return passed
  }

  private func next(_ pageRows: Int, keysOnly: Bool) throws -> ScannedRow? {
    var best: Int?
    for index in sources.indices {
      if sources[index].page.isEmpty, !sources[index].isAtEnd {
        let rows = try sources[index].fetch(sources[index].taken, pageRows, keysOnly)
        sources[index].page = rows[...]
        sources[index].isAtEnd = rows.count < pageRows
      }
      guard let row = sources[index].page.first else { continue }
      if let leader = best, let leading = sources[leader].page.first,
        !precedes(row.order, leading.order)
      {
        continue
      }
      best = index
    }
    guard let best else { return nil }
    let row = sources[best].page.removeFirst()
    sources[best].taken = row.order
    return row
  }

  private func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    isReversed
      ? right.lexicographicallyPrecedes(left) : left.lexicographicallyPrecedes(right)
  }

  /// Where a scan went on to, as text for `--cursor`.
  struct Cursor {
    let order: [UInt8]

    init(order: [UInt8]) { self.order = order }

    /// - Returns: `nil` for text that is no cursor.
    init?(_ text: String) {
      let digits = Array(text.utf8)
      guard !digits.isEmpty, digits.count % 2 == 0 else { return nil }
      var bytes: [UInt8] = []
      for index in stride(from: 0, to: digits.count, by: 2) {
        guard
          let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16)
        else { return nil }
        bytes.append(byte)
      }
      order = bytes
    }

    var text: String {
      order.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
  }
}
