import StateStore
import StreamCore

/// Questions to one view over all its partitions here.
struct ViewQuery {
  let view: OpenView
  let output: StandardOutput
  let format: OutputFormat

  // MARK: One row

  /// Opens the partition that the key belongs to, and the others here only where it has no such
  /// row: a record without a key lies in any partition.
  ///
  /// - Throws: ``Failure`` with `.notFound`, or `.stateRefused` where the key's partition is not
  ///   here, so that nobody takes it for missing.
  func get(_ text: String) throws {
    let components = try view.components(text, allowsBeginning: false)
    let key = EncodedKey(components).bytes
    let home = homePartition(components.first)
    let here = view.partitions.map(\.partition)
    if let home, !here.contains(home) { throw notHere(text, home) }
    let ordered =
      view.partitions.filter { $0.partition == home }
      + view.partitions.filter { $0.partition != home }
    for task in ordered {
      let description = view.description
      guard let value = try task.read({ try $0.get(description, key: key) }) else { continue }
      return try printRow(key, value)
    }
    if home == nil, let missing = (0..<view.partitionCount).first(where: { !here.contains($0) }) {
      throw notHere(text, missing)
    }
    throw Failure(.notFound, "view '\(view.name)' has no key '\(text)'")
  }

  private func notHere(_ text: String, _ partition: Int) -> Failure {
    Failure(
      .stateRefused,
      "key '\(text)' belongs to partition \(partition) of \(view.partitionCount), which is not here",
      at: view.partitions.first?.directory, todo: "ask where that partition runs")
  }

  /// Where a record of this key lies; `nil` where the record's key is not the row's text.
  private func homePartition(_ component: KeyComponent?) -> Int? {
    guard case .string(let text)? = component, view.partitionCount > 0 else { return nil }
    return partition(forKey: Array(text.utf8), count: view.partitionCount)
  }

  // MARK: Key order

  /// - Returns: `nil` where the bounds leave nothing.
  /// - Throws: ``StateStore/StoreError`` with `.invalid` for text that is no key.
  func range(prefix: String?, from: String?, to: String?) throws -> KeyRange? {
    var range = KeyRange()
    if let prefix {
      range =
        view.keyTypes.count == 1
        ? try KeyText.prefixRange(prefix, types: view.keyTypes)
        : TextOrder.range(of: try view.components(prefix, allowsBeginning: true))
    }
    func bound(_ text: String) throws -> [UInt8] {
      TextOrder.bytes(try view.components(text, allowsBeginning: true))
    }
    if let first = try from.map(bound),
      range.from.map({ $0.lexicographicallyPrecedes(first) }) ?? true
    {
      range.from = first
    }
    if let last = try to.map(bound), range.to.map({ last.lexicographicallyPrecedes($0) }) ?? true {
      range.to = last
    }
    guard let from = range.from, let to = range.to else { return range }
    return from.lexicographicallyPrecedes(to) ? range : nil
  }

  func scan(
    _ range: KeyRange?, reverse: Bool, pageRows: Int, after: MergedScan.Cursor?
  ) -> MergedScan {
    let description = view.description
    let ranges = range.map { [$0] } ?? []
    return MergedScan(
      view.partitions.map { task in
        MergedScan.Partition(name: "\(task.name)") { after, limits in
          let page = try task.read {
            try $0.scan(
              description, ranges, reverse: reverse, cursor: after, limit: limits.rows,
              bytesMax: limits.bytes, keysOnly: limits.keysOnly)
          }
          let rows = page.rows.map {
            ScannedRow(key: $0.key, value: $0.value, cursor: $0.cursor)
          }
          return (rows, page.cursor)
        }
      }, isReversed: reverse, pageRows: pageRows, after: after)
  }

  /// Kept for the whole view; within bounds all keys are walked.
  func count(of range: KeyRange?) throws -> Int {
    if range == KeyRange() {
      let description = view.description
      return try view.partitions.reduce(0) { sum, task in
        try sum + task.read { try $0.count(description) }
      }
    }
    return try scan(range, reverse: false, pageRows: 1_000, after: nil).skip(.max)
  }

  // MARK: By an index

  /// An index with the first values that its entries are to have, and bounds of the next one.
  struct IndexValues {
    let name: String
    let values: [KeyComponent]
    let from: KeyComponent?
    let to: KeyComponent?
  }

  /// - Throws: ``Failure`` for an index that is not there, ``StateStore/StoreError`` with
  ///   `.invalid` for values it cannot have.
  func index(_ name: String, _ texts: [String], from: String?, to: String?) throws -> IndexValues {
    guard let index = view.description.indexes.first(where: { $0.name == name }) else {
      let names = view.description.indexes.map(\.name).joined(separator: ", ")
      throw Failure(
        .invalid, "view '\(view.name)' has no index '\(name)'",
        at: view.partitions.first?.directory, todo: names.isEmpty ? "scan it" : "it has: \(names)")
    }
    let given = texts.count + (from == nil && to == nil ? 0 : 1)
    guard given <= index.components.count else {
      throw Failure.usage(
        "index '\(name)' has \(index.components.count) values, not \(given)",
        todo: "they are: \(index.components.map(\.name).joined(separator: ", "))")
    }
    let values = try zip(texts, index.components).map { try KeyText.component($0, $1.type) }
    func bound(_ text: String) throws -> KeyComponent {
      try KeyText.component(text, index.components[texts.count].type)
    }
    return IndexValues(
      name: name, values: values, from: try from.map(bound), to: try to.map(bound))
  }

  func scan(
    _ index: IndexValues, reverse: Bool, pageRows: Int, after: MergedScan.Cursor?
  ) -> MergedScan {
    let description = view.description
    return MergedScan(
      view.partitions.map { task in
        MergedScan.Partition(name: "\(task.name)") { after, limits in
          let page = try task.read {
            try $0.scanIndex(
              description, index.name, values: index.values, from: index.from, to: index.to,
              reverse: reverse, cursor: after?.order, limit: limits.rows, bytesMax: limits.bytes,
              keysOnly: limits.keysOnly)
          }
          let rows = page.rows.map {
            ScannedRow(key: $0.key, value: $0.value, cursor: ScanCursor(order: $0.order))
          }
          return (rows, page.cursor.map { ScanCursor(order: $0) })
        }
      }, isReversed: reverse, pageRows: pageRows, after: after)
  }

  /// Kept for the whole index and for one first value; within other bounds all entries are walked.
  func count(of index: IndexValues) throws -> Int {
    guard index.values.count <= 1, index.from == nil, index.to == nil else {
      return try scan(index, reverse: false, pageRows: 1_000, after: nil).skip(.max)
    }
    let description = view.description
    return try view.partitions.reduce(0) { sum, task in
      try sum + task.read { try $0.countIndex(description, index.name, values: index.values) }
    }
  }

  // MARK: Printing

  /// Rows up to `limit`, and where to go on.
  func print(_ scan: MergedScan, limit: Int?) throws {
    warnOfLack()
    let printer = RowPrinter(output, format)
    var last: (row: ScannedRow, task: String)?
    var printed = 0
    var next = try scan.next()
    // Rows of one key in several partitions stay together: a cursor knows only the key.
    while let found = next,
      limit.map({ printed < $0 || found.row.cursor.order == last?.row.cursor.order }) ?? true
    {
      try printer.add(key: found.row.key, value: found.row.value)
      last = found
      printed += 1
      next = try scan.next()
    }
    let cursor =
      next == nil ? nil : last.map { MergedScan.Cursor($0.row.cursor, in: $0.task).text }
    switch format {
    case .ndjson: break
    case .table: try output.write(printer.table())
    case .json:
      try printer.endContent()
      try output.write(",\"cursor\":\(cursor.map(JSONText.quoted) ?? "null")")
      return try output.write(",\"positions\":\(try positions())}\n")
    }
    if let cursor {
      try output.flush()
      StandardError.write("more rows: --cursor \(cursor)\n")
    }
  }

  /// One page with the totals, as `{"content","totalElements","totalPages","number","size"}`.
  func printPage(_ scan: MergedScan, number: Int, size: Int, total: Int) throws {
    warnOfLack()
    let printer = RowPrinter(output, format == .table ? .table : .json)
    let (skipped, overflow) = number.multipliedReportingOverflow(by: size)
    if !overflow, skipped < total {
      try scan.skip(skipped)
      for _ in 0..<size {
        guard let (row, _) = try scan.next() else { break }
        try printer.add(key: row.key, value: row.value)
      }
    }
    let pages = total / size + (total % size == 0 ? 0 : 1)
    guard format != .table else {
      try output.write(printer.table() + "page \(number) of \(pages), \(total) rows in all\n")
      return
    }
    try printer.endContent()
    try output.write(
      ",\"totalElements\":\(total),\"totalPages\":\(pages),\"number\":\(number),\"size\":\(size)}\n"
    )
  }

  func printCount(_ count: Int) throws {
    warnOfLack()
    try output.write("\(count)\n")
  }

  /// Says so where an answer is not of the whole view.
  private func warnOfLack() {
    if let lack = view.lack { StandardError.write("warning: \(lack)\n") }
  }

  private func printRow(_ key: [UInt8], _ value: [UInt8]) throws {
    let printer = RowPrinter(output, format == .table ? .table : .ndjson)
    try printer.add(key: key, value: value)
    if format == .table { try output.write(printer.table()) }
  }

  /// `{"order-events-0":123}`: what an answer over several partitions reflects.
  private func positions() throws -> String {
    var object = JSONText.Object()
    for position in try view.positions() { object.add(position.partition, position.offset) }
    return object.text
  }
}
