/// A record on its way to a log.
public struct ProducerRecord: Hashable, Sendable {
  public var key: [UInt8]?
  /// `nil` is a tombstone.
  public var value: [UInt8]?
  public var headers: [Header]
  /// `nil` takes the log's own clock at the time of the append.
  public var timestamp: Timestamp?
  /// `nil` takes ``partition(forKey:count:)`` of the key; a record without a key then goes to any.
  public var partition: Int?

  public init(
    key: [UInt8]?, value: [UInt8]?, headers: [Header] = [], timestamp: Timestamp? = nil,
    partition: Int? = nil
  ) {
    self.key = key
    self.value = value
    self.headers = headers
    self.timestamp = timestamp
    self.partition = partition
  }

  /// What counts of the record against ``RecordLog/recordBytesMax`` and
  /// ``RecordLog/appendBytesMax``: key, value and headers, and beyond them at least what any log
  /// adds for lengths, time and place.
  public var byteCount: Int {
    var count = 100 + (key?.count ?? 0) + (value?.count ?? 0)
    // Librdkafka counts two lengths of up to ten bytes each (rd_kafka_headers_serialized_size).
    for header in headers { count += 20 + header.name.utf8.count + (header.value?.count ?? 0) }
    return count
  }
}
