import CELTimeZones
import Foundation
import Testing

/// Zones from compiled files (RFC 9636) and their rules for the years to come.
struct TimeZoneTests {
  /// A file without transitions: one offset of `first` seconds, then `rule`.
  private static func file(first: Int32, rule: String) -> [UInt8] {
    func number(_ value: Int32) -> [UInt8] {
      let word = UInt32(bitPattern: value)
      return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) }
    }
    let header =
      Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15)
      + [0, 0, 0, 0, 1, 4].flatMap { number($0) }
    let block = header + number(first) + [0, 0] + Array("XXX\0".utf8)
    return block + block + Array("\n\(rule)\n".utf8)
  }

  private static func zones(_ files: [String: [UInt8]]) throws -> SystemTimeZones {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("zones-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      at: directory.appendingPathComponent("Area"), withIntermediateDirectories: true)
    for (name, bytes) in files {
      try Data(bytes).write(to: directory.appendingPathComponent(name))
    }
    let zones = SystemTimeZones(directory: directory.path)
    try FileManager.default.removeItem(at: directory)
    return zones
  }

  /// Rule, seconds since the epoch, seconds east of UTC; checked with Python's zoneinfo (which
  /// counts the days of the last rule from one, unlike POSIX).
  @Test("a rule says when summer time begins and ends", arguments: rules)
  func rule(rule: String, seconds: Int64, offset: Int) throws {
    let zones = try Self.zones(["Area/Zone": Self.file(first: 60, rule: rule)])
    #expect(zones.offset(of: "Area/Zone", at: seconds) == offset)
  }

  static let rules: [(String, Int64, Int)] = [
    ("CET-1", 1_719_792_000, 3600),  // 2024-07-01T00:00:00
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1_711_846_799, 3600),  // 2024-03-31T00:59:59
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1_711_846_800, 7200),  // 2024-03-31T01:00:00
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1_729_990_799, 7200),  // 2024-10-27T00:59:59
    ("CET-1CEST,M3.5.0,M10.5.0/3", 1_729_990_800, 3600),  // 2024-10-27T01:00:00
    ("CET-1CEST,M3.5.0,M10.5.0/3", 2_540_246_400, 7200),  // 2050-07-01T00:00:00
    ("EST5EDT,M3.2.0,M11.1.0", 1_710_053_999, -18000),  // 2024-03-10T06:59:59
    ("EST5EDT,M3.2.0,M11.1.0", 1_710_054_000, -14400),  // 2024-03-10T07:00:00
    ("EST5EDT,M3.2.0,M11.1.0", 1_730_613_599, -14400),  // 2024-11-03T05:59:59
    ("EST5EDT,M3.2.0,M11.1.0", 1_730_613_600, -18000),  // 2024-11-03T06:00:00
    ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_704_067_200, 39600),  // 2024-01-01T00:00:00
    ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_712_419_199, 39600),  // 2024-04-06T15:59:59
    ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_712_419_200, 36000),  // 2024-04-06T16:00:00
    ("AEST-10AEDT,M10.1.0,M4.1.0/3", 1_728_144_000, 39600),  // 2024-10-05T16:00:00
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_711_846_799, -7200),  // 2024-03-31T00:59:59
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_711_846_800, -3600),  // 2024-03-31T01:00:00
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_729_990_799, -3600),  // 2024-10-27T00:59:59
    ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1_729_990_800, -7200),  // 2024-10-27T01:00:00
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1_704_067_200, 39600),  // 2024-01-01T00:00:00
    ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1_719_792_000, 37800),  // 2024-07-01T00:00:00
    ("IST-2IDT,M3.4.4/26,M10.5.0", 1_711_670_399, 7200),  // 2024-03-28T23:59:59
    ("IST-2IDT,M3.4.4/26,M10.5.0", 1_711_670_400, 10800),  // 2024-03-29T00:00:00
    ("XXX0YYY,J60/0,J300/0", 1_709_251_199, 0),  // 2024-02-29T23:59:59
    ("XXX0YYY,J60/0,J300/0", 1_709_251_200, 3600),  // 2024-03-01T00:00:00
    ("XXX0YYY,J60/0,J300/0", 1_677_628_800, 3600),  // 2023-03-01T00:00:00
    ("XXX0YYY,J60/0,J300/0", 1_729_983_599, 3600),  // 2024-10-26T22:59:59
    ("XXX0YYY,J60/0,J300/0", 1_729_983_600, 0),  // 2024-10-26T23:00:00
    ("XXX0YYY,59/0,299/0", 1_709_164_799, 0),  // 2024-02-28T23:59:59
    ("XXX0YYY,59/0,299/0", 1_709_164_800, 3600),  // 2024-02-29T00:00:00
  ]

  @Test("a file that is none, or ends early, is left out")
  func broken() throws {
    let whole = Self.file(first: 3600, rule: "CET-1")
    var files: [String: [UInt8]] = ["Whole": whole, "Empty": [], "Text": Array("# zones".utf8)]
    // Without the footer the offset of the file counts; anything shorter is no file.
    let body = whole.count - "\nCET-1\n".utf8.count
    for count in 1..<body { files["Cut\(count)"] = Array(whole[..<count]) }
    let zones = try Self.zones(files)
    #expect(zones.names.sorted() == ["Whole"])
    #expect(zones.offset(of: "Whole", at: 0) == 3600)
    #expect(zones.offset(of: "Nowhere", at: 0) == nil)
  }

  @Test("changed bytes never trap", arguments: 0..<3)
  func mutations(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let whole = Self.file(first: 3600, rule: "CET-1CEST,M3.5.0,M10.5.0/3")
    var files: [String: [UInt8]] = [:]
    for index in 0..<300 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...6, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      files["Z\(index)"] = bytes
    }
    let zones = try Self.zones(files)
    for name in zones.names {
      for seconds in [Int64.min, -62_135_596_800, 0, 1_700_000_000, 253_402_300_799, .max] {
        _ = zones.offset(of: name, at: seconds)
      }
    }
  }
}
