/// Rows in aligned columns, for people; control characters are escaped.
struct TextTable {
  private var rows: [[String]]
  /// Columns of numbers, aligned to the right.
  private let numeric: Set<Int>
  private var widths: [Int] = []

  init(_ header: [String], numeric: Set<Int> = []) {
    rows = [header]
    self.numeric = numeric
  }

  mutating func add(_ row: [String]) { rows.append(row.map(LineText.escaped)) }

  var text: String {
    var copy = self
    return copy.takeText()
  }

  /// The rows added since the last call; columns only get wider.
  mutating func takeText() -> String {
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.count)
      }
    }
    defer { rows = [] }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return numeric.contains(column) ? padding + cell : cell + padding
      }
      var line = cells.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}

/// How a verb prints what it found.
enum OutputFormat: String, CaseIterable {
  case table, json, ndjson
}
