import JSONSerdes
import StateStore
import StreamCore

/// Prints rows of a view as `{"key":…,"value":…}` or as a table.
final class RowPrinter {
  private let output: StandardOutput
  private let format: OutputFormat
  /// Of a table, whose columns all rows make.
  private var rows: [(key: [UInt8], value: [UInt8])] = []
  private var isBegun = false

  init(_ output: StandardOutput, _ format: OutputFormat) {
    self.output = output
    self.format = format
  }

  /// - Parameters:
  ///   - key: in its encoded form.
  ///   - value: JSON, as it is stored.
  func add(key: [UInt8], value: [UInt8]) throws {
    switch format {
    case .table: rows.append((key, value))
    case .ndjson:
      try output.append { bytes in
        try Self.append(key: key, value: value, to: &bytes)
        bytes.append(0x0a)
      }
    case .json:
      try output.append { bytes in
        bytes.append(contentsOf: (isBegun ? "," : Self.head).utf8)
        isBegun = true
        try Self.append(key: key, value: value, to: &bytes)
      }
    }
  }

  private static let head = "{\"content\":["

  /// Ends the array of the rows, which are an object's `content`; its other members follow.
  func endContent() throws { try output.write(isBegun ? "]" : Self.head + "]") }

  /// The rows added so far, with a column a field.
  func table() throws -> String {
    var fields: [String] = []
    var cells: [[String: String]] = []
    let parser = JSONParser()
    for row in rows {
      var cell: [String: String] = [:]
      // A row that is no object has one column.
      let isObject =
        (try? parser.withDocument(row.value.span.bytes) { root in
          guard root.kind == .object else { return false }
          for member in try root.members() {
            let name = member.name.string
            if !fields.contains(name) { fields.append(name) }
            cell[name] = try Self.text(member.value)
          }
          return true
        }) ?? false
      if !isObject {
        if !fields.contains("value") { fields.append("value") }
        cell["value"] = String(decoding: row.value, as: UTF8.self)
      }
      cells.append(cell)
    }
    var table = TextTable(["KEY"] + fields)
    for (row, cell) in zip(rows, cells) {
      table.add([try KeyText.text(row.key)] + fields.map { cell[$0] ?? "" })
    }
    return table.text
  }

  private static func text(_ value: JSONView) throws -> String {
    value.kind == .string ? try value.string() : String(decoding: value.json, as: UTF8.self)
  }

  private static func append(key: [UInt8], value: [UInt8], to bytes: inout [UInt8]) throws {
    bytes.append(contentsOf: "{\"key\":".utf8)
    bytes.append(contentsOf: try OpenView.json(key).utf8)
    bytes.append(contentsOf: ",\"value\":".utf8)
    bytes.append(contentsOf: value)
    bytes.append(0x7d)
  }
}
