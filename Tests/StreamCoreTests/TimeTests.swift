import StreamCore
import Testing

@Suite("Times and durations")
struct TimeTests {
  @Test(
    "one instant in every accepted form",
    arguments: [
      "2026-01-05T09:00:00Z", "2026-01-05T09:00:00.000Z", "2026-01-05t09:00:00z",
      "2026-01-05T10:00:00+01:00", "2026-01-05T10:00:00+0100", "2026-01-05T10:00:00+01",
      "2026-01-05T10:00+01:00", "2026-01-05T10:00:00+01:00[Europe/Berlin]",
      "2026-01-05T09:00:00Z[UTC]", "2026-01-05 09:00:00Z", "2026-01-04T23:30:00-09:30",
      "1767603600000", "1767603600.000000000", "1767603600.0", "1.7676036E+9",
    ])
  func forms(text: String) throws {
    #expect(try Instant(parsing: text) == Instant(seconds: 1_767_603_600))
    #expect(try Timestamp(parsing: text) == Timestamp(milliseconds: 1_767_603_600_000))
  }

  @Test("a local date-time needs a declared zone")
  func localTime() throws {
    let zone = FixedOffset(seconds: 3600)
    #expect(zone.name == "+01:00")
    #expect(try Instant(parsing: "2026-01-05T10:00:00", zone: zone).seconds == 1_767_603_600)
    #expect(try Instant(parsing: "2026-01-05T10:00", zone: zone).seconds == 1_767_603_600)
    #expect(throws: TimeError.noZone) { try Instant(parsing: "2026-01-05T10:00:00") }
    // An offset in the text wins over the declared zone.
    #expect(try Instant(parsing: "2026-01-05T09:00:00Z", zone: zone).seconds == 1_767_603_600)
  }

  @Test(
    "text is RFC 3339 in UTC without trailing zeros",
    arguments: [
      ("1970-01-01T00:00:00Z", 0, 0), ("2026-01-05T09:00:00.5Z", 1_767_603_600, 500_000_000),
      ("1969-12-31T23:59:59.999Z", -1, 999_000_000), ("0000-01-01T00:00:00Z", -62_167_219_200, 0),
      ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
      ("2000-02-29T12:00:00.000000001Z", 951_825_600, 1),
      ("1900-03-01T00:00:00Z", -2_203_891_200, 0),
    ] as [(String, Int64, Int32)])
  func text(text: String, seconds: Int64, nanoseconds: Int32) throws {
    let instant = Instant(seconds: seconds, nanoseconds: nanoseconds)
    #expect(instant.description == text)
    #expect(try Instant(parsing: text) == instant)
  }

  @Test(
    "what is no time is an error",
    arguments: [
      ("", TimeError.malformed), ("yesterday", .malformed), ("2026-01-05", .malformed),
      ("2026-01-05T09", .malformed), ("2026-01-05T09:00:00.Z", .malformed),
      ("2026-01-05T09:00:00ZZ", .malformed), ("2026-01-05T09:00:00Z[", .malformed),
      ("2026-01-05T09:00:00Z[]", .malformed), ("2026-13-05T09:00:00Z", .outOfRange),
      ("2026-02-29T09:00:00Z", .outOfRange), ("2026-01-05T24:00:00Z", .outOfRange),
      ("2026-01-05T09:60:00Z", .outOfRange), ("2026-01-05T09:00:60Z", .outOfRange),
      ("2026-01-05T09:00:00+19:00", .outOfRange), ("0000-01-01T00:00:00+01:00", .outOfRange),
      ("9999-12-31T23:59:59-01:00", .outOfRange), ("253402300800000", .outOfRange),
      ("99999999999999999999999999999999999999", .outOfRange), ("1e99", .outOfRange),
      ("20\u{e9}6-01-05T09:00:00Z", .malformed), ("2026-0x-05T09:00:00Z", .malformed),
    ])
  func refused(text: String, error: TimeError) {
    #expect(throws: error) { try Instant(parsing: text, zone: nil) }
  }

  /// Times as they are usually written are read in a way of their own; a declared zone, which a
  /// text with an offset does not need, takes the general one.
  @Test("usual texts are read as all others are", arguments: UInt64(1)...4)
  func usualTexts(seed: UInt64) {
    var random = SeededRandom(seed)
    for _ in 0..<20_000 {
      let time = Timestamp(
        milliseconds: Int64.random(in: -62_167_219_200_000..<253_402_300_800_000, using: &random))
      var text = Array(time.description.utf8)
      if Bool.random(using: &random) {
        let position = Int.random(in: 0..<text.count - 1, using: &random)
        text[position] = UInt8.random(in: 0...255, using: &random)
      }
      let usual = Result { try Instant(parsing: text.span.bytes, in: 0..<text.count) }
      let general = Result {
        try Instant(parsing: text.span.bytes, in: 0..<text.count, zone: FixedOffset.utc)
      }
      #expect("\(usual)" == "\(general)", "\(String(decoding: text, as: UTF8.self))")
    }
  }

  @Test(
    "epoch numbers are exact, before the epoch too",
    arguments: [
      ("1767603600.123456789", 1_767_603_600, 123_456_789), ("1500", 1, 500_000_000),
      ("-1", -1, 999_000_000), ("-0.5", -1, 500_000_000), ("-0.0000000001", -1, 999_999_999),
      ("0", 0, 0),
    ] as [(String, Int64, Int32)])
  func numbers(text: String, seconds: Int64, nanoseconds: Int32) throws {
    #expect(try Instant(parsing: text) == Instant(seconds: seconds, nanoseconds: nanoseconds))
  }

  @Test("timestamps beyond four-digit years print as milliseconds")
  func farTimestamps() {
    #expect(Timestamp(milliseconds: -1).description == "1969-12-31T23:59:59.999Z")
    #expect(Timestamp(milliseconds: .max).description == "9223372036854775807")
    #expect(Timestamp(milliseconds: .min).description == "-9223372036854775808")
    #expect(Timestamp(milliseconds: .max) + .days(1) == Timestamp(milliseconds: .max))
    #expect(Timestamp(milliseconds: .min) - .days(1) == Timestamp(milliseconds: .min))
    #expect(Timestamp(milliseconds: 1500) - .milliseconds(500) == Timestamp(milliseconds: 1000))
    #expect(Timestamp(milliseconds: 1500) - Timestamp.epoch == .milliseconds(1500))
  }

  @Test("random instants survive their text", arguments: UInt64(0)..<20)
  func roundTrip(seed: UInt64) throws {
    var random = SeededRandom(seed)
    for _ in 0..<500 {
      let instant = Instant(
        seconds: Int64.random(in: -62_167_219_200..<253_402_300_800, using: &random),
        nanoseconds: Int32.random(in: 0..<1_000_000_000, using: &random))
      #expect(try Instant(parsing: instant.description) == instant)
      let timestamp = Timestamp(instant)
      #expect(try Timestamp(parsing: timestamp.description) == timestamp)
    }
  }

  @Test(
    "durations",
    arguments: [
      ("250ms", 250), ("10s", 10_000), ("15m", 900_000), ("1h", 3_600_000), ("7d", 604_800_000),
      ("0ms", 0),
    ] as [(String, Int64)])
  func durations(text: String, milliseconds: Int64) {
    #expect(Duration(text: text)?.milliseconds == milliseconds)
    #expect(Duration.milliseconds(milliseconds).text == text)
  }

  @Test(
    "no durations", arguments: ["", "5", "m", "1.5h", "-1s", "1 h", "1w", "9223372036854775807d"])
  func noDurations(text: String) { #expect(Duration(text: text) == nil) }

  @Test(
    "sizes",
    arguments: [
      ("64MiB", 64 << 20), ("1KiB", 1024), ("3GiB", 3 << 30), ("2TiB", 2 << 40), ("100B", 100),
      ("0B", 0),
    ])
  func sizes(text: String, bytes: Int) {
    #expect(ByteSize.parse(text) == bytes)
    #expect(ByteSize.text(bytes) == text)
  }

  @Test("a size without unit is bytes; others are refused")
  func otherSizes() {
    #expect(ByteSize.parse("4096") == 4096)
    for text in ["", "MiB", "1.5MiB", "-1B", "1PB", "9223372036854775807KiB"] {
      #expect(ByteSize.parse(text) == nil)
    }
  }
}
