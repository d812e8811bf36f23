/// Time zones by name. Evaluation does no I/O, so a host that wants names such as `Europe/Berlin` gives the
/// rules: target `CELTimeZones` has those of the system.
public protocol TimeZones: Sendable {
  /// Seconds east of UTC that a zone's clocks show at a time, in seconds since the epoch; `nil` where there
  /// is no zone of this name.
  func offset(of zone: String, at seconds: Int64) -> Int?
}

/// No zones but UTC and fixed offsets such as `+01:00` or `-02:30`, which every CEL knows.
public struct FixedTimeZones: TimeZones {
  public init() {}

  public func offset(of zone: String, at seconds: Int64) -> Int? { Self.offset(of: zone) }

  /// `UTC`, or hours and minutes with or without a sign.
  static func offset(of zone: String) -> Int? {
    if zone == "UTC" || zone == "Z" || zone.isEmpty { return 0 }
    var text = Array(zone.utf8)[...]
    let sign = text.first == UInt8(ascii: "-") ? -1 : 1
    if text.first == UInt8(ascii: "-") || text.first == UInt8(ascii: "+") {
      text = text.dropFirst()
    }
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy(\.isDigit) }),
      let hours = Int(String(decoding: parts[0], as: UTF8.self)),
      let minutes = Int(String(decoding: parts[1], as: UTF8.self)), hours < 24, minutes < 60
    else { return nil }
    return sign * (hours * 3600 + minutes * 60)
  }
}
