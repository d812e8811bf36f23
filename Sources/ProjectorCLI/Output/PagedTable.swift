/// A table of any length: it is printed a page at a time, each as wide as those before it at least.
struct PagedTable {
  private let output: StandardOutput
  private var table: TextTable
  private var rows = 0
  private let pageRows = 256

  init(_ output: StandardOutput, _ header: [String], numeric: Set<Int> = []) {
    self.output = output
    table = TextTable(header, numeric: numeric)
  }

  mutating func add(_ row: [String]) throws {
    table.add(row)
    rows += 1
    if rows == pageRows { try finish() }
  }

  /// Prints what is not printed yet.
  mutating func finish() throws {
    try output.write(table.takeText())
    rows = 0
  }
}
