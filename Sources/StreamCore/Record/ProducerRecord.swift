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
}
