/// A record read from a log, as a value of its own: for what is printed, held or compared.
///
/// The engine's hot path works on ``RecordBatch`` instead.
public struct ConsumerRecord: Hashable, Sendable {
  public var topicPartition: TopicPartition
  public var offset: Offset
  public var timestamp: Timestamp?
  public var key: [UInt8]?
  public var value: [UInt8]?
  public var headers: [Header]

  public init(
    topicPartition: TopicPartition, offset: Offset, timestamp: Timestamp?, key: [UInt8]?,
    value: [UInt8]?, headers: [Header]
  ) {
    self.topicPartition = topicPartition
    self.offset = offset
    self.timestamp = timestamp
    self.key = key
    self.value = value
    self.headers = headers
  }
}
