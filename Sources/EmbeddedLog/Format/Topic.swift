import StateStore
import StreamCore

/// A topic as it is stored; its number is never used again.
struct Topic: Hashable, Sendable {
  let number: UInt32
  let name: String
  let partitions: Int
  let retention: TopicRetention

  static let partitionsMax = 10_000

  var description: TopicDescription {
    TopicDescription(name: name, partitions: partitions, retention: retention)
  }

  func bytes() -> [UInt8] {
    var writer = ByteWriter()
    writer.number(number)
    writer.number(UInt32(partitions))
    writer.number(retention.time.map { $0.milliseconds } ?? -1)
    writer.number(Int64(retention.bytes ?? -1))
    writer.number(UInt8(retention.compacted ? 1 : 0))
    return writer.sealed()
  }

  init(number: UInt32, name: String, partitions: Int, retention: TopicRetention) {
    self.number = number
    self.name = name
    self.partitions = partitions
    self.retention = retention
  }

  init(name: String, _ bytes: [UInt8]) throws(LogError) {
    var reader = try ByteReader(sealed: bytes, "the entry of the topic '\(name)'")
    self.name = name
    number = try reader.number()
    partitions = Int(try reader.number(UInt32.self))
    let time = try reader.number(Int64.self)
    let size = try reader.number(Int64.self)
    retention = TopicRetention(
      time: time < 0 ? nil : .milliseconds(time), bytes: size < 0 ? nil : Int(size),
      compacted: try reader.number(UInt8.self) == 1)
  }

  /// - Throws: ``LogError`` with `.invalid`; the rules are Kafka's (`Topic.validate`).
  static func check(name: String) throws(LogError) {
    let allowed = name.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
    guard allowed, !["", ".", ".."].contains(name), name.utf8.count <= 249 else {
      throw LogError(
        .invalid,
        "'\(name)' is no topic name; use 1 to 249 letters, digits, '.', '_' and '-', "
          + "other than '.' and '..'")
    }
  }

  func missing(_ partition: Int) -> LogError {
    LogError(
      .partitionMissing, "the topic '\(name)' has the partitions 0..<\(partitions), no \(partition)"
    )
  }

  static func missing(_ name: String, in url: String) -> LogError {
    LogError(.topicMissing, "there is no topic '\(name)' in \(url); create it first")
  }
}
