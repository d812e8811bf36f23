/// A time zone as a compiled file describes it (RFC 9636, TZif): its offsets from UTC through time.
struct TimeZoneFile: Sendable {
  /// When an offset begins, in seconds since the epoch, ascending.
  private let transitions: [Int64]
  private let offsets: [Int32]
  /// Before the first transition.
  private let first: Int32
  /// Behind the last transition.
  private let rule: TimeZoneRule?

  /// - Returns: `nil` where `bytes` are no such file of version 2 or later.
  init?(_ bytes: [UInt8]) {
    var reader = Reader(bytes: bytes)
    // The first block has 32 bits for times; the second repeats it with 64.
    guard let old = reader.header(), reader.skip(old.dataSize(timeSize: 4)),
      let header = reader.header()
    else { return nil }
    var transitions: [Int64] = []
    for _ in 0..<header.times {
      guard let time = reader.integer(8) else { return nil }
      transitions.append(time)
    }
    var indices: [Int] = []
    for _ in 0..<header.times {
      guard let index = reader.integer(1) else { return nil }
      indices.append(Int(index & 0xFF))
    }
    var types: [Int32] = []
    for _ in 0..<header.types {
      guard let offset = reader.integer(4), reader.skip(2) else { return nil }
      types.append(Int32(truncatingIfNeeded: offset))
    }
    guard let type = types.first, indices.allSatisfy({ $0 < types.count }),
      reader.skip(header.names + header.leaps * 12 + header.standards + header.universals)
    else { return nil }
    self.transitions = transitions
    offsets = indices.map { types[$0] }
    first = type
    rule = TimeZoneRule(reader.footer())
  }

  /// Seconds east of UTC.
  func offset(at seconds: Int64) -> Int {
    guard let last = transitions.last else { return rule?.offset(at: seconds) ?? Int(first) }
    if seconds >= last, let rule { return rule.offset(at: seconds) }
    var low = 0
    var high = transitions.count
    while low < high {
      let middle = (low + high) / 2
      if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? Int(first) : Int(offsets[low - 1])
  }

  /// Reads numbers, the highest byte first.
  private struct Reader {
    struct Header {
      let universals: Int
      let standards: Int
      let leaps: Int
      let times: Int
      let types: Int
      let names: Int

      func dataSize(timeSize: Int) -> Int {
        times * (timeSize + 1) + types * 6 + names + leaps * (timeSize + 4) + standards
          + universals
      }
    }

    let bytes: [UInt8]
    private var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func skip(_ count: Int) -> Bool {
      guard bytes.count - position >= count else { return false }
      position += count
      return true
    }

    /// A signed number of 1 to 8 bytes.
    mutating func integer(_ size: Int) -> Int64? {
      guard bytes.count - position >= size else { return nil }
      var value = UInt64(0)
      for byte in bytes[position..<(position + size)] { value = value << 8 | UInt64(byte) }
      position += size
      let unused = UInt64(64 - 8 * size)
      return Int64(bitPattern: value << unused) >> Int64(unused)
    }

    mutating func header() -> Header? {
      guard bytes[position...].starts(with: "TZif".utf8), bytes.count - position >= 44,
        bytes[position + 4] >= UInt8(ascii: "2")
      else { return nil }
      position += 20
      var counts: [Int] = []
      for _ in 0..<6 {
        guard let count = integer(4), count >= 0, count <= 1 << 16 else { return nil }
        counts.append(Int(count))
      }
      return Header(
        universals: counts[0], standards: counts[1], leaps: counts[2], times: counts[3],
        types: counts[4], names: counts[5])
    }

    /// The rule between the two line ends at the end.
    func footer() -> String {
      let text = bytes[position...].drop { $0 == 10 }
      return String(decoding: text.prefix { $0 != 10 }, as: UTF8.self)
    }
  }
}
