import CEL
import StreamCore

/// A result in the form in which ``Oracle`` writes its own.
enum DifferentialResult {
  static let variables: [String: CELType] = [
    "x": .int, "u": .uint, "f": .double, "b": .bool, "s": .string, "li": .list(.int),
    "m": .map(.string, .int),
  ]

  static let bindings: [String: Value] = [
    "x": 7, "u": .uint(5), "f": 2.5, "b": true, "s": "héllo", "li": [5, -3, 5],
    "m": ["a": 10, "c": -1],
  ]

  static func text(_ value: Value) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .int(let value): "i\(value)"
    case .uint(let value): "u\(value)"
    case .double(let value): value.isNaN ? "dNaN" : "d" + hexadecimal(value.bitPattern)
    case .string(let text): "s" + hexadecimal(text.utf8)
    case .bytes(let bytes): "b" + hexadecimal(bytes)
    case .list(let list): "[" + list.map(text).joined(separator: ",") + "]"
    case .map(let map):
      "{" + map.entries.map { key($0.key) + ":" + text($0.value) }.sorted().joined(separator: ",")
        + "}"
    case .timestamp(let instant):
      "T\(instant.seconds * 1_000_000 + Int64(instant.nanoseconds) / 1000)"
    case .duration(let duration): "D\(microseconds(duration))"
    case .error: "error"
    case .type, .optional, .decimal, .object: "?\(value)"
    }
  }

  /// Rounded towards the past, as Python does.
  private static func microseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    let (quotient, rest) = attoseconds.quotientAndRemainder(dividingBy: 1_000_000_000_000)
    return seconds * 1_000_000 + quotient - (rest < 0 ? 1 : 0)
  }

  /// Python's keys do not tell int from uint.
  private static func key(_ value: Value) -> String {
    if case .uint(let value) = value { "i\(value)" } else { text(value) }
  }

  private static func hexadecimal(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
