import ChildProcesses
import Foundation
import JSONSerdes
import StreamCore

/// The program `shared/tools/purchase-order-events`, which prints real events and the read model
/// that they must end in.
struct PurchaseOrderTool {
  let path: String

  /// Looks for `shared` beside each directory above this file; `PROJECTOR_SHARED` names another.
  static let found: PurchaseOrderTool? = {
    var places: [URL] = []
    if let named = ProcessInfo.processInfo.environment["PROJECTOR_SHARED"] {
      places.append(URL(fileURLWithPath: named))
    }
    var directory = URL(fileURLWithPath: #filePath)
    while directory.path != "/" {
      directory.deleteLastPathComponent()
      places.append(directory.appendingPathComponent("shared"))
    }
    return places.map { $0.appendingPathComponent("tools/purchase-order-events").path }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
      .map { PurchaseOrderTool(path: $0) }
  }()

  /// Calls `body` with runs of the lines that the tool prints.
  func lines(_ arguments: [String], _ body: ([Substring]) throws -> Void) throws {
    let process = try ChildProcess(path, arguments, output: .captured)
    var lines: [Substring] = []
    while let line = try process.line() {
      lines.append(line[...])
      if lines.count == 4_096 {
        try body(lines)
        lines.removeAll(keepingCapacity: true)
      }
    }
    try body(lines)
    let ending = process.wait()
    guard ending == .exit(0) else { throw ToolError(ending: ending) }
  }

  struct ToolError: Error {
    let ending: ChildProcess.Ending
  }

  /// A line as the record it stands for; a value that is a string is broken text.
  static func record(_ line: Substring, _ parser: JSONParser) throws -> ProducerRecord {
    let bytes = Array(line.utf8)
    return try parser.withDocument(bytes.span.bytes) { json in
      let value = try json.field("value")
      return ProducerRecord(
        key: Array(try json.field("key").string().utf8),
        value: value.kind == .string ? Array(try value.string().utf8) : value.json,
        headers: try json.field("headers").members().map {
          Header($0.name.string, try $0.value.string())
        },
        timestamp: Timestamp(milliseconds: try json.field("timestamp").int64()))
    }
  }
}
