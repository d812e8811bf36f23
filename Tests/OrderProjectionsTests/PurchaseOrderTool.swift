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
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    var rest = ""
    while true {
      let data = output.fileHandleForReading.readData(ofLength: 4 << 20)
      rest += String(decoding: data, as: UTF8.self)
      guard let end = rest.lastIndex(of: "\n") else {
        if data.isEmpty { break }
        continue
      }
      try body(rest[..<end].split(separator: "\n"))
      rest = String(rest[rest.index(after: end)...])
    }
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw ToolError(status: process.terminationStatus)
    }
  }

  struct ToolError: Error {
    let status: Int32
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
