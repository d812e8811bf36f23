import StateStore

/// A row on its way out, with the bytes that order it among the rows of a scan.
struct ScannedRow {
  let key: [UInt8]
  let value: [UInt8]
  let cursor: ScanCursor
}

/// Rows of several partitions in one order; each page of a partition is read in a transaction of
/// its own, so that a long scan keeps no reader alive.
final class MergedScan {
  /// A page of one partition and where the next one begins; `nil` after the last.
  typealias Page = (rows: [ScannedRow], cursor: ScanCursor?)
  /// What a page is to have at most; without the rows' values if `keysOnly`.
  struct PageLimits {
    let rows: Int
    let bytes: Int
    let keysOnly: Bool
  }

  struct Partition {
    /// The task's name: a cursor's place holds in it alone.
    let name: String
    let fetch: (_ after: ScanCursor?, _ limits: PageLimits) throws -> Page
  }

  private struct Source {
    let partition: Partition
    var page: ArraySlice<ScannedRow> = []
    /// The last row taken, or where the scan began.
    var taken: ScanCursor?
    /// Where the next page begins; `nil` for the first.
    var next: ScanCursor?
    /// Whether nothing is behind the page at hand.
    var isAtEnd = false

    init(_ partition: Partition, after cursor: ScanCursor?) {
      self.partition = partition
      taken = cursor
      next = cursor
    }

    /// Reads until a row is at hand; a page without rows only passed keys.
    mutating func fill(_ limits: PageLimits) throws {
      while page.isEmpty, !isAtEnd {
        let read = try partition.fetch(next, limits)
        page = read.rows[...]
        next = read.cursor
        isAtEnd = read.cursor == nil
      }
    }
  }

  private var sources: [Source]
  private let isReversed: Bool
  private let limits: PageLimits
  /// Sources with rows at hand, that with the next row first: a binary heap.
  private var heap: [Int] = []
  private var isBegun = false

  /// Rows and bytes that all pages at hand may have together.
  private static let rowsMax = 20_000
  private static let bytesMax = 16 << 20

  /// - Parameters:
  ///   - pageRows: rows of a page; no more than are wanted, so that little is read in vain.
  ///   - cursor: goes on behind it.
  init(
    _ partitions: [Partition], isReversed: Bool, pageRows: Int, after cursor: Cursor?
  ) {
    self.isReversed = isReversed
    let count = max(1, partitions.count)
    limits = PageLimits(
      rows: max(1, min(pageRows, 1_000, max(16, Self.rowsMax / count))),
      bytes: max(8 << 10, Self.bytesMax / count), keysOnly: false)
    sources = partitions.map { Source($0, after: cursor?.position(in: $0.name)) }
  }

  /// The next row and the name of the task that it is of.
  func next() throws -> (row: ScannedRow, task: String)? { try next(limits) }

  /// Passes up to `count` rows, before the first ``next()``: walks their keys and reads no values.
  ///
  /// - Returns: how many rows there were to pass.
  @discardableResult
  func skip(_ count: Int) throws -> Int {
    var passed = 0
    while passed < count {
      let limits = PageLimits(rows: min(count - passed, 1_000), bytes: .max, keysOnly: true)
      guard try next(limits) != nil else { break }
      passed += 1
    }
    // Their values are not read yet.
    for index in sources.indices where !sources[index].page.isEmpty {
      sources[index].page = []
      sources[index].next = sources[index].taken
      sources[index].isAtEnd = false
    }
    heap = []
    isBegun = false
    return passed
  }

  private func next(_ limits: PageLimits) throws -> (row: ScannedRow, task: String)? {
    if !isBegun {
      isBegun = true
      for index in sources.indices {
        try sources[index].fill(limits)
        if !sources[index].page.isEmpty { heap.append(index) }
      }
      for place in heap.indices.reversed() { sink(place) }
    }
    guard let first = heap.first else { return nil }
    let row = sources[first].page.removeFirst()
    sources[first].taken = row.cursor
    try sources[first].fill(limits)
    if sources[first].page.isEmpty {
      heap[0] = heap[heap.count - 1]
      heap.removeLast()
    }
    sink(0)
    return (row, sources[first].partition.name)
  }

  /// Puts the source at a place of the heap below those that go first.
  private func sink(_ start: Int) {
    var place = start
    while true {
      var best = place
      for child in [2 * place + 1, 2 * place + 2] where child < heap.count {
        if goesFirst(heap[child], heap[best]) { best = child }
      }
      if best == place { return }
      heap.swapAt(place, best)
      place = best
    }
  }

  /// Rows of one key come in the order of the partitions.
  private func goesFirst(_ left: Int, _ right: Int) -> Bool {
    guard let one = sources[left].page.first?.cursor.order,
      let other = sources[right].page.first?.cursor.order
    else { return false }
    if one == other { return left < right }
    return one.lexicographicallyPrecedes(other) != isReversed
  }

  /// Where a scan went on to, as text for `--cursor`: the order of the last row and, where that
  /// finds it faster, its place in its task.
  struct Cursor {
    let position: ScanCursor
    let task: String

    init(_ position: ScanCursor, in task: String) {
      self.position = position
      self.task = task
    }

    /// - Returns: `nil` for text that is no cursor.
    init?(_ text: String) {
      let parts = text.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
      guard let order = Self.bytes(parts[0]), !order.isEmpty, parts.count != 2 else { return nil }
      var place: [UInt8]?
      if parts.count == 3 {
        place = Self.bytes(parts[1])
        if place == nil { return nil }
      }
      self.init(
        ScanCursor(order: order, place: place), in: parts.count == 3 ? String(parts[2]) : "")
    }

    /// The place is of no use to another task.
    func position(in task: String) -> ScanCursor {
      task == self.task ? position : ScanCursor(order: position.order)
    }

    var text: String {
      let order = Self.text(position.order)
      return position.place.map { "\(order).\(Self.text($0)).\(task)" } ?? order
    }

    private static func text(_ bytes: [UInt8]) -> String {
      bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
      let digits = Array(text.utf8)
      guard digits.count % 2 == 0 else { return nil }
      var bytes: [UInt8] = []
      for index in stride(from: 0, to: digits.count, by: 2) {
        guard
          let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16)
        else { return nil }
        bytes.append(byte)
      }
      return bytes
    }
  }
}
