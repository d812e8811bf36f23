import CRdKafka
import Glibc
import StreamCore

/// What librdkafka delivered of one partition and the reader has not handed out yet: records,
/// ends and errors, in order.
@safe final class PartitionInbox {
  typealias Message = UnsafeMutablePointer<rd_kafka_message_t>

  let topicPartition: TopicPartition
  /// Where the next record is expected: records before it are dropped.
  var position: Offset
  var isPaused = false
  /// Whether librdkafka was told to fetch nothing.
  var isHeld = false
  /// What waits here takes in memory, roughly.
  private(set) var byteCount = 0
  /// What librdkafka keeps of a message beside its key and value.
  static let messageBytes = 400

  static func size(_ message: Message) -> Int {
    unsafe messageBytes + message.pointee.len + message.pointee.key_len
  }

  /// The end that was last said.
  var saidEnd: Offset?
  /// Why nothing more comes until the next assignment.
  var failure: LogError?
  /// What the headers of a record took on average in the last batch, and an eighth: room that is
  /// made beforehand, since a batch that outgrows its room is copied as a whole.
  private var headerBytes = 64
  private var messages: [Message] = unsafe []
  private var head = 0

  init(_ topicPartition: TopicPartition, position: Offset) {
    self.topicPartition = topicPartition
    self.position = position
  }

  deinit {
    while !isEmpty { takeFirst() }
  }

  var isEmpty: Bool { unsafe head == messages.count }

  /// Behind the last record that came, handed out or not.
  var nextToReceive: Offset {
    for index in unsafe (head..<messages.count).reversed() {
      let message = unsafe messages[index].pointee
      switch unsafe message.err {
      case RD_KAFKA_RESP_ERR_NO_ERROR: return unsafe max(position, message.offset + 1)
      case RD_KAFKA_RESP_ERR__PARTITION_EOF: return unsafe max(position, message.offset)
      default: continue
      }
    }
    return position
  }

  /// Takes over `message`.
  func add(_ message: Message) {
    unsafe messages.append(message)
    byteCount += unsafe Self.size(message)
  }

  private func takeFirst() {
    byteCount -= unsafe Self.size(messages[head])
    unsafe rd_kafka_message_destroy(messages[head])
    head += 1
    guard unsafe head == messages.count else { return }
    unsafe messages.removeAll(keepingCapacity: true)
    head = 0
  }

  /// Copies as many records as the limits allow, up to the next end.
  ///
  /// - Parameters:
  ///   - dropped: counts records before the position.
  ///   - explain: the failure behind an error that ends the partition; `nil` for one that
  ///     librdkafka goes on trying about.
  func nextBatch(
    _ options: ReaderOptions, _ scratch: inout [UInt8], dropped: inout Int,
    explain: (rd_kafka_resp_err_t, PartitionInbox, String) -> LogError?
  ) -> RecordBatch {
    var batch = RecordBatch(topicPartition, nextOffset: position)
    reserve(in: &batch, options)
    var headers = 0
    defer { if batch.count > 0 { headerBytes = headers * 9 / (8 * batch.count) + 8 } }
    while !isEmpty, failure == nil {
      let message = unsafe messages[head]
      let offset = unsafe message.pointee.offset
      switch unsafe message.pointee.err {
      case RD_KAFKA_RESP_ERR_NO_ERROR:
        guard offset >= batch.nextOffset else {
          dropped += 1
          break
        }
        // A timestamp and a few headers are counted as the records' bytes are: roughly.
        let size = unsafe message.pointee.len + message.pointee.key_len
        guard
          batch.count == 0
            || batch.count < options.batchRecordsMax
              && batch.bytes.count + size <= options.batchBytesMax
        else { return batch }
        unsafe batch.append(message, &scratch)
        headers += scratch.count
      case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        guard offset >= batch.nextOffset, offset != saidEnd else { break }
        batch.nextOffset = offset
        batch.endOffset = offset
        takeFirst()
        return batch
      case let error:
        // SAFETY: an error's text, where there is one, lives as long as its message.
        let words = unsafe rd_kafka_message_errstr(message).map { unsafe String(cString: $0) }
        failure = explain(error, self, words ?? text(of: error))
      }
      takeFirst()
    }
    return batch
  }

  private func reserve(in batch: inout RecordBatch, _ options: ReaderOptions) {
    var records = 0
    var bytes = 0
    for index in unsafe head..<min(messages.count, head + options.batchRecordsMax) {
      let size = unsafe messages[index].pointee.len + messages[index].pointee.key_len
      guard records == 0 || bytes + size <= options.batchBytesMax else { break }
      records += 1
      bytes += size
    }
    batch.reserve(records: records, bytes: bytes + records * headerBytes)
  }
}

extension RecordBatch {
  /// Copies one record out of librdkafka's fetch buffer.
  fileprivate mutating func append(
    _ message: PartitionInbox.Message, _ scratch: inout [UInt8]
  ) {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let time = unsafe rd_kafka_message_timestamp(message, &type)
    // -1 is Kafka's NO_TIMESTAMP, which brokers take from clients as it is.
    var timestamp =
      type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || time == -1
      ? nil : Timestamp(milliseconds: time)
    scratch.removeAll(keepingCapacity: true)
    var headers: OpaquePointer?
    if unsafe rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR {
      let hidden = unsafe encode(headers, into: &scratch, time: time)
      if let hidden { timestamp = hidden }
    }
    // SAFETY: key and payload point into the fetch buffer until the message is destroyed; a null
    // pointer is a null key or value, also with length 0.
    let record = unsafe message.pointee
    unsafe scratch.withUnsafeBytes { headers in
      unsafe append(
        offset: record.offset, timestamp: timestamp,
        key: record.key.map { unsafe UnsafeRawBufferPointer(start: $0, count: record.key_len) },
        value: record.payload.map { unsafe UnsafeRawBufferPointer(start: $0, count: record.len) },
        headers: headers)
    }
  }

  /// - Returns: the record's true time, where the last header carries it (``HiddenTime``).
  private func encode(_ headers: OpaquePointer?, into bytes: inout [UInt8], time: Int64)
    -> Timestamp?
  {
    var name: UnsafePointer<CChar>?
    var value: UnsafeRawPointer?
    var size = 0
    let count = unsafe rd_kafka_header_cnt(headers)
    for index in 0..<count {
      let error = unsafe rd_kafka_header_get_all(headers, index, &name, &value, &size)
      guard error == RD_KAFKA_RESP_ERR_NO_ERROR, let name = unsafe name else { continue }
      // SAFETY: name and value live as long as the message; a name ends with a zero.
      let content = unsafe value.map {
        unsafe UnsafeRawBufferPointer(start: $0, count: size)
      }
      if index == count - 1, let content = unsafe content,
        let hidden = unsafe HiddenTime.read(name, content, time: time)
      {
        return hidden
      }
      // Kafka's names may be longer than ours, and nobody looks for such a name.
      let length = min(unsafe strlen(name), Int(UInt16.max))
      unsafe EncodedHeaders.append(
        name: UnsafeRawBufferPointer(start: name, count: length), value: content, to: &bytes)
    }
    return nil
  }
}
