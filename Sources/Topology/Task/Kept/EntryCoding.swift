import StreamCore

/// Writes the engine's own small entries: kept records, outbox, journal.
struct EntryWriter {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ number: Int64) {
    withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  mutating func append(_ text: String) { append(Array(text.utf8)) }

  mutating func append(_ part: [UInt8]?) {
    append(Int64(part?.count ?? -1))
    if let part { bytes += part }
  }

  mutating func append(_ record: ConsumerRecord) {
    append(record.topicPartition.topic)
    append(Int64(record.topicPartition.partition))
    append(record.offset)
    append(record.timestamp == nil ? 0 : 1)
    append(record.timestamp?.milliseconds ?? 0)
    append(record.key)
    append(record.value)
    append(EncodedHeaders.encode(record.headers))
  }
}

/// Reads what ``EntryWriter`` wrote; anything else is an error, never a trap.
struct EntryReader {
  private let bytes: [UInt8]
  private(set) var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }
  var bytesLeft: Int { bytes.count - position }

  mutating func number() throws -> Int64 {
    guard position + 8 <= bytes.count else { throw SerdeError("an entry is cut off") }
    var value: UInt64 = 0
    for index in (0..<8).reversed() { value = value << 8 | UInt64(bytes[position + index]) }
    position += 8
    return Int64(bitPattern: value)
  }

  mutating func part() throws -> [UInt8]? {
    let count = try number()
    if count == -1 { return nil }
    guard count >= 0, count <= Int64(bytes.count - position) else {
      throw SerdeError("an entry is cut off")
    }
    defer { position += Int(count) }
    return Array(bytes[position..<position + Int(count)])
  }

  mutating func text() throws -> String {
    String(decoding: try part() ?? [], as: UTF8.self)
  }

  mutating func record() throws -> ConsumerRecord {
    let topic = try text()
    let partition = Int(try number())
    let offset = try number()
    let hasTime = try number() == 1
    let milliseconds = try number()
    return ConsumerRecord(
      topicPartition: TopicPartition(topic, partition), offset: offset,
      timestamp: hasTime ? Timestamp(milliseconds: milliseconds) : nil, key: try part(),
      value: try part(), headers: EncodedHeaders.decode((try part() ?? [])[...]))
  }
}
