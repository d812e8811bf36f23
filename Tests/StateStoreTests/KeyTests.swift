import StateStore
import StreamCore
import Testing

/// A value whose order is known without its encoding.
private struct Ordered: CustomStringConvertible {
  let component: KeyComponent
  let description: String
}

@Suite struct KeyTests {
  private static func ordered(_ components: [KeyComponent]) -> [Ordered] {
    components.map { Ordered(component: $0, description: "\($0)") }
  }

  @Test(
    "components keep their order as bytes and read back",
    arguments: [
      ordered([.null, .boolean(false), .boolean(true)]),
      ordered([.integer(.min), .integer(-1), .integer(0), .integer(1), .integer(.max)]),
      ordered([
        .timestamp(Timestamp(milliseconds: -1)), .timestamp(.epoch),
        .timestamp(Timestamp(milliseconds: 1)),
      ]),
      ordered([
        .instant(Instant(seconds: -1, nanoseconds: 999_999_999)), .instant(Instant(seconds: 0)),
        .instant(Instant(seconds: 0, nanoseconds: 1)),
      ]),
      ordered([
        .string(""), .string("\0"), .string("\0\0"), .string("\0a"), .string("a"),
        .string("a\0"), .string("a\0\u{1}"), .string("a\u{1}"), .string("aa"), .string("b"),
        .string("ä"), .string("日本"),
      ]),
      ordered([
        .string("00000000-0000-0000-0000-000000000000"),
        .string("0190163d-8694-739b-aea5-966c26f8ad91"),
        .string("ffffffff-ffff-ffff-ffff-ffffffffffff"),
      ]),
      ordered(
        [
          "-99999999999999999999999999999999999999", "-1000", "-10", "-9.9", "-1", "-0.1",
          "-0.00000000000000000000000000000000000001", "0.00000",
          "0.00000000000000000000000000000000000001", "0.001", "0.09", "0.1", "1.5", "1.51", "2",
          "9.9", "10", "10.0001", "1000", "99999999999999999999999999999999999999",
        ].compactMap { Decimal($0).map { .decimal($0) } }),
    ])
  private func order(_ values: [Ordered]) throws {
    for (position, left) in values.enumerated() {
      for (other, right) in values.enumerated() {
        for descending in [false, true] {
          var (a, b) = (EncodedKey([left.component]).bytes, EncodedKey([right.component]).bytes)
          if descending { (a, b) = (a.map { ~$0 }, b.map { ~$0 }) }
          // What follows decides only between equals.
          a.append(0x02)
          b.append(0x38)
          let isBefore = a.lexicographicallyPrecedes(b)
          let expected =
            position == other ? true : descending ? position > other : position < other
          #expect(isBefore == expected, "\(left) before \(right), descending \(descending)")
        }
      }
      var reader = KeyReader(EncodedKey([left.component]).bytes)
      let read = try reader.component()
      #expect(read.value == left.component && !read.descending && reader.isAtEnd)
      var inverted = KeyReader(EncodedKey([left.component]).bytes.map { ~$0 })
      let readInverted = try inverted.component()
      #expect(readInverted.value == left.component && readInverted.descending)
    }
  }

  @Test("a canonical lower-case UUID takes 17 bytes and prints as it was")
  func uuid() throws {
    let text = "0190163d-8694-739b-aea5-966c26f8ad91"
    #expect(text.encoded.count == 17)
    #expect(try String(encoded: text.encoded) == text)
    for other in [
      "0190163D-8694-739b-aea5-966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad9g",
      "0190163d86-94-739b-aea5-966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad:1",
      "0190163d-8694-739b-aea5-966c26f8a`91", "/190163d-8694-739b-aea5-966c26f8ad91",
      "0190163d-8694-739b-aea5-966c26f8ad-1",
    ] {
      #expect(other.encoded.count == 38)
      #expect(try String(encoded: other.encoded) == other)
    }
  }

  @Test(
    "decimals of equal value are one key",
    arguments: [("1.50", "1.5"), ("0.000", "0"), ("-20", "-20.0")])
  func decimals(_ first: String, _ second: String) throws {
    #expect(try Decimal(parsing: first).encoded == Decimal(parsing: second).encoded)
  }

  @Test("random pairs order as their parts do", arguments: UInt64(0)..<20)
  func pairs(seed: UInt64) throws {
    var generator = SeededGenerator(seed)
    func key() -> KeyPair<String, Int64> {
      let letters = ["a", "b", "\0", "é", "zz"]
      let length = Int.random(in: 0...4, using: &generator)
      let text = (0..<length).map { _ in letters.randomElement(using: &generator) ?? "" }
      let number = Int64.random(in: -3...3, using: &generator)
      return KeyPair(text.joined(), number)
    }
    for _ in 0..<200 {
      let (left, right) = (key(), key())
      let leftText = left.first.bytes
      let rightText = right.first.bytes
      let isBefore =
        leftText == rightText
        ? left.second < right.second : leftText.lexicographicallyPrecedes(rightText)
      #expect(left.encoded.lexicographicallyPrecedes(right.encoded) == isBefore)
      #expect(try KeyPair<String, Int64>(encoded: left.encoded) == left)
    }
  }

  @Test(
    "bytes that are no key are an error",
    arguments: [[], [0x00], [0x10, 1, 2], [0x30, 0x61], [0x30, 0xC3, 0x00], [0x38, 1], [0x18]]
      as [[UInt8]])
  func malformed(_ bytes: [UInt8]) {
    let error = #expect(throws: StoreError.self) { try String(encoded: bytes) }
    #expect(error?.code == .corrupted)
  }

  @Test(
    "bytes that are no key are an error, never a trap",
    arguments: [
      // A decimal with a scale beyond 38, and one whose exponent is out of reach.
      bytes(0x18, 0x81, 0x02, 0x00), bytes(0x18, 0xFF, 0x02, 0x00), bytes(0x18, 0x7E, 0xFD, 0xFF),
      bytes(0x18, 0xC1, 0x66, 0x00), bytes(0x18),
    ])
  func damaged(key: [UInt8]) {
    var reader = KeyReader(key)
    let error = #expect(throws: StoreError.self) { try reader.component() }
    #expect(error?.code == .corrupted)
  }

  @Test("whatever bytes a key has, reading it ends", arguments: UInt64(0)..<4)
  func garbage(seed: UInt64) {
    var generator = SeededGenerator(seed)
    for _ in 0..<20_000 {
      var key = (0..<Int.random(in: 1...24, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      // A tag, be it of a component in descending order.
      key[0] =
        UInt8.random(in: 0...0x30, using: &generator) ^ (Bool.random(using: &generator) ? 0xFF : 0)
      var reader = KeyReader(key)
      do {
        while !reader.isAtEnd { _ = try reader.component() }
      } catch {
        #expect(error.code == .corrupted)
      }
    }
  }
}
