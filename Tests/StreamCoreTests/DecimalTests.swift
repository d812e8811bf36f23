import StreamCore
import Testing

private let digits38 = String(repeating: "9", count: 38)

@Suite("Decimal")
struct DecimalTests {
  @Test(
    "text is read exactly and printed in plain notation with its scale",
    arguments: [
      ("0", "0"), ("-0", "0"), ("12345.67", "12345.67"), ("0.1", "0.1"), ("0.10", "0.10"),
      ("1E+2", "100"), ("1e2", "100"), ("12.5e1", "125"), ("12.5e-3", "0.0125"), ("+7", "7"),
      ("-0.05", "-0.05"), ("0.000", "0.000"), ("1.50e1", "15.0"), ("0e99", "0"), ("007", "7"),
      ("123456789012345678901234567890", "123456789012345678901234567890"),
      ("18446744073709551616", "18446744073709551616"),
      ("1000000000000000000", "1000000000000000000"),
      ("1000000000000000000.000000000000000000", "1000000000000000000.000000000000000000"),
      ("0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"),
      (digits38, digits38), ("-" + digits38, "-" + digits38),
      ("0000000000000000000000000000000000000000001", "1"),
      ("1e37", "1" + String(repeating: "0", count: 37)),
    ])
  func text(written: String, printed: String) throws {
    #expect(try Decimal(parsing: written).description == printed)
  }

  @Test(
    "what is no decimal of 38 digits is an error",
    arguments: [
      ("", DecimalError.malformed), ("-", .malformed), (".5", .malformed), ("5.", .malformed),
      ("1e", .malformed), ("1e+", .malformed), ("1 ", .malformed), ("0x1", .malformed),
      ("NaN", .malformed), ("--1", .malformed), ("1.2.3", .malformed),
      ("1" + digits38, .overflow), ("1e38", .overflow), ("1e-39", .overflow), ("1e400", .overflow),
      ("1e99999999999999999999", .overflow), ("1e-99999999999999999999", .overflow),
      ("0." + String(repeating: "0", count: 38) + "1", .overflow),
    ])
  func refused(text: String, error: DecimalError) {
    #expect(throws: error) { try Decimal(parsing: text) }
    #expect(Decimal(text) == nil)
  }

  @Test("a slice of bytes is read without its surroundings")
  func slice() throws {
    let bytes = Array("[12.50,7]".utf8)
    #expect(try Decimal(parsing: bytes.span.bytes, in: 1..<6).description == "12.50")
  }

  @Test(
    "numbers are compared and hashed by value",
    arguments: [
      ("0.1", "0.10", 0), ("100", "1E+2", 0), ("0", "-0.000", 0), ("0.1", "0.11", -1),
      ("-0.1", "-0.11", 1), ("2", "1.99999999999999999999999999999999999", 1), ("-1", "0.5", -1),
      (digits38, "0.00000000000000000000000000000000000001", 1),
      ("-" + digits38, "0.00000000000000000000000000000000000001", -1),
    ])
  func order(left: String, right: String, order: Int) throws {
    let (left, right) = (try Decimal(parsing: left), try Decimal(parsing: right))
    #expect((left < right) == (order < 0))
    #expect((right < left) == (order > 0))
    #expect((left == right) == (order == 0))
    if order == 0 { #expect(left.hashValue == right.hashValue) }
  }

  @Test(
    "sums and differences have the larger scale, products the sum of the scales",
    arguments: [
      ("0.10", "0.2", "0.30", "-0.10", "0.020"), ("1", "-1", "0", "2", "-1"),
      ("12345.67", "0.005", "12345.675", "12345.665", "61.72835"),
    ])
  func arithmetic(
    left: String, right: String, sum: String, difference: String, product: String
  ) throws {
    let (left, right) = (try Decimal(parsing: left), try Decimal(parsing: right))
    #expect(try (left + right).description == sum)
    #expect(
      try (left - right).description == difference)
    #expect(try (left * right).description == product)
  }

  @Test("a result beyond 38 digits is an error")
  func overflow() throws {
    let most = try Decimal(parsing: digits38)
    #expect(throws: DecimalError.overflow) { try most + Decimal(1) }
    #expect(throws: DecimalError.overflow) { try most - Decimal(-1) }
    #expect(throws: DecimalError.overflow) { try most * Decimal(2) }
    #expect(throws: DecimalError.overflow) { try most + Decimal(parsing: "0.1") }
    #expect(throws: DecimalError.overflow) { try most.rounded(scale: 1) }
    #expect(throws: DecimalError.divisionByZero) { try most.divided(by: .zero, scale: 2) }
    // Only trailing zeros are in the way.
    let small = try Decimal(parsing: "0.10000000000000000000")
    #expect(try (small * small).description == "0.01")
  }

  @Test(
    "a division rounds once, to the scale it names",
    arguments: [
      ("1", "3", 2, Decimal.Rounding.halfEven, "0.33"), ("2", "3", 2, .halfEven, "0.67"),
      ("1", "8", 2, .halfEven, "0.12"), ("3", "8", 2, .halfEven, "0.38"),
      ("1", "8", 2, .halfUp, "0.13"), ("-1", "8", 2, .halfUp, "-0.13"),
      ("-1", "8", 2, .down, "-0.12"), ("1", "1000", 2, .up, "0.01"),
      ("1", "1000", 2, .down, "0.00"),
      ("10", "4", 0, .halfEven, "2"), ("0.5", "0.25", 3, .halfEven, "2.000"),
      ("1", "0.99999999999999999999999999999999999999", 1, .halfEven, "1.0"),
      ("0.00000000000000000000000000000000000001", "1000000000000", 0, .up, "1"),
      ("0.00000000000000000000000000000000000001", "1000000000000", 0, .halfEven, "0"),
      ("1", "7", 38, .halfEven, "0.14285714285714285714285714285714285714"),
    ])
  func division(
    dividend: String, divisor: String, scale: Int, rounding: Decimal.Rounding, quotient: String
  ) throws {
    let result = try Decimal(parsing: dividend).divided(
      by: Decimal(parsing: divisor), scale: scale, rounding: rounding)
    #expect(result.description == quotient)
  }

  @Test("the canonical form has no trailing zeros behind the point")
  func canonical() throws {
    #expect(try Decimal(parsing: "1.500").canonical.description == "1.5")
    #expect(try Decimal(parsing: "100").canonical.description == "100")
    #expect(try Decimal(parsing: "100.00").int64 == 100)
    #expect(try Decimal(parsing: "0.5").int64 == nil)
  }

  /// Small enough for 64-bit integers to be the judge.
  @Test("random arithmetic agrees with integers", arguments: UInt64(0)..<20)
  func random(seed: UInt64) throws {
    var random = SeededRandom(seed)
    for _ in 0..<500 {
      let scales = (Int.random(in: 0...4, using: &random), Int.random(in: 0...4, using: &random))
      let numbers = (
        Int64.random(in: -99_999...99_999, using: &random),
        Int64.random(in: -99_999...99_999, using: &random)
      )
      let left = try Decimal(coefficient: Int128(numbers.0), scale: scales.0)
      let right = try Decimal(coefficient: Int128(numbers.1), scale: scales.1)
      let tens: [Int64] = [1, 10, 100, 1000, 10_000]
      let scale = max(scales.0, scales.1)
      let aligned = (numbers.0 * tens[scale - scales.0], numbers.1 * tens[scale - scales.1])
      #expect(try (left + right).coefficient == Int128(aligned.0 + aligned.1))
      #expect(try (left - right).coefficient == Int128(aligned.0 - aligned.1))
      #expect(try (left * right).coefficient == Int128(numbers.0 * numbers.1))
      #expect((left < right) == (aligned.0 < aligned.1))
      #expect((left == right) == (aligned.0 == aligned.1))
      #expect(Decimal(left.description)?.description == left.description)
      if numbers.1 != 0 {
        #expect(
          try left.divided(by: right, scale: 0, rounding: .down).coefficient
            == Int128(aligned.0 / aligned.1))
      }
    }
  }
}
