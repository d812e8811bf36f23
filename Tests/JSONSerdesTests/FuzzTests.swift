import Foundation
import JSONSerdes
import StreamCore
import Testing

/// Foundation's parser is the judge of what is JSON.
///
/// Left out, because Foundation and RFC 8259 part there: it takes a byte order mark and encodings
/// other than UTF-8 (so no text begins with a byte above 7F or has a zero byte), refuses numbers
/// beyond a double, lets a comma stand before a closing bracket, and has a lower limit of depth.
@Suite("JSON against Foundation")
struct FuzzTests {
  private static let seeds = [
    "{\"eventId\":\"e-1\",\"payload\":{\"items\":[{\"sku\":\"a\",\"quantity\":2,\"price\":12.50}]}}",
    "[1,-0,0.5,1e5,-2.5E-3,true,false,null,\"\",{}]",
    "{\"a\":\"\\u00e9\\ud83d\\ude00\\n\\\"\\\\\",\"é\":[[[]],{\"\":{}}]}",
    " { \"a\" : [ 1 , 2 ] , \"b\" : null }\n",
  ]

  private func mutated(_ random: inout SeededRandom) -> [UInt8] {
    var bytes = Array((Self.seeds.randomElement(using: &random) ?? "").utf8)
    let alphabet = Array("{}[]:,\"\\ \n\t0123456789.eE+-truefalsnx/udD8Cc".utf8)
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      guard !bytes.isEmpty else { break }
      let position = Int.random(in: 0..<bytes.count, using: &random)
      let byte = alphabet.randomElement(using: &random) ?? 0
      switch Int.random(in: 0..<7, using: &random) {
      case 0: bytes.remove(at: position)
      case 1: bytes.insert(byte, at: position)
      case 2: bytes[position] = byte
      case 3: bytes[position] = UInt8.random(in: 1...255, using: &random)
      case 4: bytes.removeSubrange(position...)
      case 5:
        let end = min(bytes.count, position + Int.random(in: 1...8, using: &random))
        bytes.insert(contentsOf: bytes[position..<end], at: end)
      default: bytes.swapAt(position, Int.random(in: 0..<bytes.count, using: &random))
      }
    }
    return bytes
  }

  @Test("acceptance and values are those of Foundation", arguments: UInt64(0)..<100)
  func mutations(seed: UInt64) throws {
    var random = SeededRandom(seed)
    let parser = JSONParser()
    var accepted = 0
    for _ in 0..<300 {
      let bytes = mutated(&random)
      guard let first = bytes.first, first < 0x80 else { continue }
      let text = String(decoding: bytes, as: UTF8.self)
      let judge = Result {
        try JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])
      }
      let ours = Result { try parser.withDocument(bytes.span.bytes) { try Self.same($0, judge) } }
      switch (judge, ours) {
      case (.success, .success(let same)):
        #expect(same, "\(text) has other values")
        accepted += 1
      case (.failure, .failure): break
      case (.success, .failure(let error)):
        if text.firstMatch(of: /,[ \n\r\t]*[\]}]/) == nil {
          Issue.record("refused: \(text): \(error)")
        }
      case (.failure(let error), .success):
        // Of a number beyond a double Foundation says so.
        let reason = String(describing: error)
        if !reason.contains("not representable") && !reason.contains("out of range") {
          Issue.record("accepted: \(text), \(reason)")
        }
      }
    }
    #expect(accepted > 20)
  }

  /// Whether a view holds what Foundation found; of objects with a name twice, the members' names.
  private static func same(_ view: JSONView, _ judge: Result<Any, any Error>) throws -> Bool {
    guard case .success(let value) = judge else { return true }
    return try same(view, value)
  }

  private static func same(_ view: JSONView, _ value: Any) throws -> Bool {
    switch view.kind {
    case .absent: return false
    case .null: return value is NSNull
    case .bool: return try view.bool() == (value as? Bool)
    case .string: return try view.string() == (value as? String)
    case .number:
      guard let number = value as? NSNumber else { return false }
      guard let decimal = try? view.decimal() else { return number.doubleValue.isFinite }
      let double = try view.double()
      return double == number.doubleValue && decimal.double == double
    case .array:
      guard let array = value as? [Any] else { return false }
      let elements = Array(try view.elements())
      guard elements.count == array.count else { return false }
      return try zip(elements, array).allSatisfy { try same($0, $1) }
    case .object:
      guard let object = value as? [String: Any] else { return false }
      var names: [String] = []
      for member in try view.members() { names.append(member.name.string) }
      guard Set(names) == Set(object.keys) else { return false }
      guard Set(names).count == names.count else { return true }
      for member in try view.members() {
        guard let other = object[member.name.string], try same(member.value, other)
        else { return false }
      }
      return true
    }
  }

  @Test(
    "a random value survives writing, parsing and the canonical form", arguments: UInt64(0)..<50)
  func roundTrip(seed: UInt64) throws {
    var random = SeededRandom(seed)
    for _ in 0..<50 {
      var writer = JSONWriter()
      Self.write(depth: 4, to: &writer, &random)
      let bytes = writer.finish()
      let canonical = try canonicalJSON(bytes)
      #expect(try canonicalJSON(canonical) == canonical)
      let judged = try JSONSerialization.jsonObject(
        with: Data(canonical), options: [.fragmentsAllowed])
      #expect(try JSONParser().withDocument(bytes.span.bytes) { try Self.same($0, judged) })
    }
  }

  private static func write(
    depth: Int, to writer: inout JSONWriter, _ random: inout SeededRandom
  ) {
    switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &random) {
    case 0: writer.null()
    case 1: writer.value(Bool.random(using: &random))
    case 2: writer.value(Int64.random(in: -1_000_000...1_000_000, using: &random))
    case 3: writer.value(text(&random))
    case 4:
      let coefficient = Int128(Int64.random(in: -999_999...999_999, using: &random))
      if let decimal = try? StreamCore.Decimal(
        coefficient: coefficient, scale: Int.random(in: 0...6, using: &random))
      {
        writer.value(decimal)
      }
    case 5, 6:
      writer.beginObject()
      for index in 0..<Int.random(in: 0..<5, using: &random) {
        writer.name(dynamic: "\(index)" + text(&random))
        write(depth: depth - 1, to: &writer, &random)
      }
      writer.endObject()
    default:
      writer.beginArray()
      for _ in 0..<Int.random(in: 0..<5, using: &random) {
        write(depth: depth - 1, to: &writer, &random)
      }
      writer.endArray()
    }
  }

  private static func text(_ random: inout SeededRandom) -> String {
    let scalars = Array("ab\"\\/\n\t\u{0}\u{1f}\u{7f}éß日😀\u{2028}".unicodeScalars)
    var text = ""
    for _ in 0..<Int.random(in: 0..<12, using: &random) {
      text.unicodeScalars.append(scalars.randomElement(using: &random) ?? "a")
    }
    return text
  }
}
