import CEL
import StreamCore
import Testing

/// Values by themselves: equality, order and text.
struct ValueTests {
  @Test("numbers are equal by value across types, everything else within its type")
  func equality() throws {
    let equal: [(Value, Value)] = [
      (1, .uint(1)), (1, 1.0), (.uint(.max), .uint(.max)), ([1, 2], [1.0, .uint(2)]),
      (["a": 1], ["a": 1.0]), (.decimal(try Decimal(parsing: "1.50")), 1.5),
      (.optional(OptionalValue(1)), .optional(OptionalValue(1.0))),
    ]
    for (left, right) in equal { #expect(left == right && right == left) }
    let unequal: [(Value, Value)] = [
      (1, "1"), (1, true), (.double(.nan), .double(.nan)), ("\u{E9}", "e\u{301}"),
      ("K", "\u{212A}"),
      (.int(.max), .double(0x1p64)), (.int(.max), .uint(1 << 63)), (-1, .uint(.max)),
    ]
    for (left, right) in unequal { #expect(left != right && right != left) }
  }

  @Test("integers and doubles are ordered as doubles, integers exactly")
  func order() {
    #expect(Value.order(.int(.max), .double(0x1p63)) == .equal)
    #expect(Value.order(.int(.max), .uint(1 << 63)) == .less)
    #expect(Value.order(.int(.min), .double(-0x1p63)) == .equal)
    #expect(Value.order(1, 1.5) == .less)
    #expect(Value.order(-1, -1.5) == .greater)
    #expect(Value.order(.uint(.max), .double(.infinity)) == .less)
    #expect(Value.order(1, .double(.nan)) == .unordered)
    #expect(Value.order("a", 1) == nil)
    #expect(Value.order("\u{FFFF}", "\u{10000}") == .less)
  }

  @Test("a value prints as an expression would write it")
  func text() {
    #expect(
      ([1, .uint(2), 1.0, "it's", .bytes([0x61, 0]), .null, true, ["k": []]] as Value).description
        == #"[1, 2u, 1.0, 'it\'s', b'a\x00', null, true, {'k': []}]"#)
    #expect(Value.duration(.milliseconds(-1500)).description == "duration('-1.5s')")
  }
}
