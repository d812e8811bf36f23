public import CEL
import Glibc

/// The time zones that the system knows by name (`Europe/Berlin`), read when this is made: an
/// evaluation reads no file. What a name means depends on the version of the system's tzdata.
public struct SystemTimeZones: TimeZones {
  private let zones: [String: TimeZoneFile]

  /// Those of `/usr/share/zoneinfo`, read at first use.
  public static let shared = SystemTimeZones(directory: "/usr/share/zoneinfo")

  /// - Parameter directory: compiled zones, under their names; other files are left out.
  public init(directory: String) {
    var zones: [String: TimeZoneFile] = [:]
    Self.readZones(in: directory, prefix: "", into: &zones)
    self.zones = zones
  }

  /// The names of all zones, in no order.
  public var names: some Collection<String> { zones.keys }

  /// Times before the year 1 and after 9999 count as the nearest within.
  public func offset(of zone: String, at seconds: Int64) -> Int? {
    zones[zone]?.offset(at: min(max(seconds, Self.range.lowerBound), Self.range.upperBound))
  }

  /// The seconds of the years 1 to 9999, the times that there are.
  private static let range = Int64(-62_135_596_800)...253_402_300_799

  /// Copies of all zones that tzdata brings along, with and without leap seconds.
  private static let copies: Set<String> = ["posix", "right"]

  private static func readZones(
    in directory: String, prefix: String, into zones: inout [String: TimeZoneFile]
  ) {
    guard let stream = unsafe opendir(directory) else { return }
    defer { unsafe closedir(stream) }
    while let entry = unsafe readdir(stream) {
      // SAFETY: the name is terminated and lives until the next readdir.
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      guard !name.hasPrefix("."), !copies.contains(name) else { continue }
      let path = "\(directory)/\(name)"
      if let bytes = read(path) {
        if let zone = TimeZoneFile(bytes) { zones[prefix + name] = zone }
      } else {
        readZones(in: path, prefix: "\(prefix)\(name)/", into: &zones)
      }
    }
  }

  /// A file's bytes; `nil` for a directory.
  private static func read(_ path: String) -> [UInt8]? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while true {
      // SAFETY: the pointer is used during the call only.
      let count = unsafe chunk.withUnsafeMutableBytes {
        unsafe Glibc.read(file, $0.baseAddress, $0.count)
      }
      if count < 0, errno == EISDIR { return nil }
      guard count > 0 else { return bytes }
      bytes += chunk[..<count]
    }
  }
}
