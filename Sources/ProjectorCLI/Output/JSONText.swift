/// Writes the small JSON documents that the command line prints.
enum JSONText {
  /// A string with its quotes.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  static func array(_ elements: [String]) -> String {
    "[" + elements.joined(separator: ",") + "]"
  }

  /// An object with its fields in the order they were added.
  struct Object {
    private var fields: [String] = []

    mutating func add(_ name: String, _ text: String?) {
      add(name, json: text.map(quoted) ?? "null")
    }

    mutating func add(_ name: String, _ number: some BinaryInteger) {
      add(name, json: String(number))
    }

    mutating func add(_ name: String, _ flag: Bool) { add(name, json: flag ? "true" : "false") }

    /// A value that is JSON already.
    mutating func add(_ name: String, json: String) { fields.append("\(quoted(name)):\(json)") }

    var text: String { "{" + fields.joined(separator: ",") + "}" }
  }
}
