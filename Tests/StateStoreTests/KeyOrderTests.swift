import StateStore
import Testing

@Suite struct KeyOrderTests {
  /// Strings that share prefixes of several lengths, are prefixes of others, and hold zeros.
  private static func strings(_ seed: UInt64) -> [[UInt8]] {
    var random = SeededGenerator(seed)
    let prefixes: [[UInt8]] = [
      [], [0x30], Array("CREATED".utf8), Array("CONFIRMED and more than 8".utf8),
      [UInt8](repeating: 0, count: 17),
    ]
    return (0..<Int.random(in: 0...700, using: &random)).map { _ in
      let prefix = prefixes[Int.random(in: 0..<prefixes.count, using: &random)]
      let count = Int.random(in: 0...12, using: &random)
      return prefix + (0..<count).map { _ in [0, 1, 0x7F, 0xFF][Int(random.next() % 4)] }
    }
  }

  @Test("strings come in the order of their bytes, equal ones in their own", arguments: 0..<40)
  func strings(seed: Int) {
    let strings = Self.strings(UInt64(seed))
    var bytes: [UInt8] = [0xAA]
    let ranges = strings.map { string in
      let start = Int32(bytes.count)
      bytes += string
      return start..<Int32(bytes.count)
    }
    let order = KeyOrder.positions(of: ranges, in: bytes.span.bytes).map { Int($0) }
    let expected = strings.indices.sorted {
      strings[$0] == strings[$1]
        ? $0 < $1 : strings[$0].lexicographicallyPrecedes(strings[$1])
    }
    #expect(order == expected)
  }

  @Test("numbers come in their order", arguments: [0, 1, 24, 25, 3_000])
  func numbers(count: Int) {
    var random = SeededGenerator(UInt64(count))
    let numbers = (0..<count).map { _ in Int64((random.next() >> 1) >> (random.next() % 60)) }
    let order = KeyOrder.positions(of: numbers).map { Int($0) }
    #expect(order.map { numbers[$0] } == numbers.sorted())
    #expect(Set(order).count == count)
  }
}
