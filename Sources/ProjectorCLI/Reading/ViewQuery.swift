import StateStore
import StreamCore

/// Questions to one view over all its partitions here.
struct ViewQuery {
  let view: OpenView
  let output: StandardOutput
  let format: OutputFormat

  // MARK: One row

  /// - Throws: ``Failure`` with `.notFound`, or `.stateRefused` where the key's partition is not
  ///   here, so that nobody takes it for missing.
  func get(_ text: String) throws {
    let components = try view.components(text, allowsBeginning: false)
    let key = EncodedKey(components).bytes
    let home = homePartition(components.first)
    let ordered =
      view.partitions.filter { $0.identity.partition == home }
      + view.partitions.filter { $0.identity.partition != home }
    for task in ordered {
      let description = view.description
      guard let value = try task.read({ try $0.get(description, key: key) }) else { continue }
      return try printRow(key, value)
    }
    let here = Set(view.partitions.map(\.identity.partition))
    let missing =
      home.map { here.contains($0) ? [] : [$0] }
      ?? (0..<view.partitionCount).filter { !here.contains($0) }
    if let partition = missing.first {
      throw Failure(
        .stateRefused,
        "key '\(text)' belongs to partition \(partition) of \(view.partitionCount), which is not "
          + "here", at: view.partitions.first?.directory,
        todo: "ask where that partition runs")
    }
    throw Failure(.notFound, "view '\(view.name)' has no key '\(text)'")
  }

  /// Where a record of this key lies; `nil` where the record's key is not the row's text.
  private func homePartition(_ component: KeyComponent?) -> Int? {
    guard case .string(let text)? = component, view.partitionCount > 0 else { return nil }
    return partition(forKey: Array(text.utf8), count: view.partitionCount)
  }

  // MARK: Key order

  /// - Throws: ``StateStore/StoreError`` with `.invalid` for text that is no key.
  func ranges(prefix: String?, from: String?, to: String?) throws -> [KeyRange] {
    var ranges = [KeyRange()]
    if let prefix {
      ranges =
        view.keyTypes.count == 1
        ? try KeyText.prefixRanges(prefix, types: view.keyTypes)
        : [KeyRange(prefix: EncodedKey(try view.components(prefix, allowsBeginning: true)).bytes)]
    }
    let first = try from.map { EncodedKey(try view.components($0, allowsBeginning: true)).bytes }
    let last = try to.map { EncodedKey(try view.components($0, allowsBeginning: true)).bytes }
    return ranges.compactMap { range in
      var range = range
      if let first, range.from.map({ $0.lexicographicallyPrecedes(first) }) ?? true {
        range.from = first
      }
      if let last, range.to.map({ last.lexicographicallyPrecedes($0) }) ?? true { range.to = last }
      guard let from = range.from, let to = range.to else { return range }
      return from.lexicographicallyPrecedes(to) ? range : nil
    }
  }

  func scan(
    _ ranges: [KeyRange], reverse: Bool, pageRows: Int, after: MergedScan.Cursor?
  ) -> MergedScan {
    let description = view.description
    return MergedScan(
      view.partitions.map { task in
        { after, limit, keysOnly in
          try task.read {
            try $0.scan(
              description, ranges, reverse: reverse, cursor: after, limit: limit,
              keysOnly: keysOnly
            ).rows.map { ScannedRow(order: $0.key, key: $0.key, value: $0.value) }
          }
        }
      }, isReversed: reverse, pageRows: pageRows, after: after)
  }

  func count(of ranges: [KeyRange]) throws -> Int {
    if ranges == [KeyRange()] {
      let description = view.description
      return try view.partitions.reduce(0) { sum, task in
        try sum + task.read { try $0.count(description) }
      }
    }
    return try scan(ranges, reverse: false, pageRows: 1_000, after: nil).skip(.max)
  }

  func printCount(of ranges: [KeyRange]) throws { try output.write("\(count(of: ranges))\n") }

  // MARK: By an index

  /// An index with the first values that its entries are to have.
  struct IndexValues {
    let name: String
    let values: [KeyComponent]
  }

  /// - Throws: ``Failure`` for an index that is not there, ``StateStore/StoreError`` with
  ///   `.invalid` for values it cannot have.
  func index(_ name: String, _ texts: [String]) throws -> IndexValues {
    guard let index = view.description.indexes.first(where: { $0.name == name }) else {
      let names = view.description.indexes.map(\.name).joined(separator: ", ")
      throw Failure(
        .invalid, "view '\(view.name)' has no index '\(name)'",
        at: view.partitions.first?.directory, todo: names.isEmpty ? "scan it" : "it has: \(names)")
    }
    guard texts.count <= index.components.count else {
      throw Failure.usage(
        "index '\(name)' has \(index.components.count) values, not \(texts.count)",
        todo: "they are: \(index.components.map(\.name).joined(separator: ", "))")
    }
    let values = try zip(texts, index.components).map { try KeyText.component($0, $1.type) }
    return IndexValues(name: name, values: values)
  }

  func scan(
    _ index: IndexValues, reverse: Bool, pageRows: Int, after: MergedScan.Cursor?
  ) -> MergedScan {
    let description = view.description
    return MergedScan(
      view.partitions.map { task in
        { after, limit, keysOnly in
          try task.read {
            try $0.scanIndex(
              description, index.name, values: index.values, reverse: reverse, cursor: after,
              limit: limit, keysOnly: keysOnly
            ).rows.map { ScannedRow(order: $0.entry, key: $0.key, value: $0.value) }
          }
        }
      }, isReversed: reverse, pageRows: pageRows, after: after)
  }

  func count(of index: IndexValues) throws -> Int {
    let description = view.description
    return try view.partitions.reduce(0) { sum, task in
      try sum + task.read { try $0.countIndex(description, index.name, values: index.values) }
    }
  }

  // MARK: Printing

  /// Rows up to `limit`, and where to go on.
  func print(_ scan: MergedScan, limit: Int?) throws {
    let printer = RowPrinter(output, format)
    var last: [UInt8]?
    var printed = 0
    var next = try scan.next()
    // Rows of one key in several partitions stay together: a cursor knows only the key.
    while let row = next, limit.map({ printed < $0 || row.order == last }) ?? true {
      try printer.add(key: row.key, value: row.value)
      last = row.order
      printed += 1
      next = try scan.next()
    }
    let cursor = next == nil ? nil : last.map { MergedScan.Cursor(order: $0).text }
    switch format {
    case .ndjson: break
    case .table: try output.write(printer.table())
    case .json:
      try output.append { bytes in
        bytes += Array("{\"content\":".utf8) + (try printer.array())
        bytes += Array(",\"cursor\":\(cursor.map(JSONText.quoted) ?? "null")".utf8)
        bytes += Array(",\"positions\":\(try positions())}\n".utf8)
      }
      return
    }
    if let cursor {
      try output.flush()
      StandardError.write("more rows: --cursor \(cursor)\n")
    }
  }

  /// One page with the totals, as `{"content","totalElements","totalPages","number","size"}`.
  func printPage(_ scan: MergedScan, number: Int, size: Int, total: Int) throws {
    let printer = RowPrinter(output, format == .table ? .table : .json)
    let (skipped, overflow) = number.multipliedReportingOverflow(by: size)
    if !overflow, skipped < total {
      try scan.skip(skipped)
      for _ in 0..<size {
        guard let row = try scan.next() else { break }
        try printer.add(key: row.key, value: row.value)
      }
    }
    let pages = (total + size - 1) / size
    guard format != .table else {
      try output.write(printer.table() + "page \(number) of \(pages), \(total) rows in all\n")
      return
    }
    try output.append { bytes in
      bytes += Array("{\"content\":".utf8) + (try printer.array())
      bytes += Array(
        ",\"totalElements\":\(total),\"totalPages\":\(pages),\"number\":\(number),\"size\":\(size)}\n"
          .utf8)
    }
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
