import StreamCore

extension RecordLog {
  /// The value of the record at an offset; `nil` where there is none any more, or it is null.
  ///
  /// - Throws: ``StreamCore/LogError``.
  func value(at topicPartition: TopicPartition, _ offset: Offset) throws -> [UInt8]? {
    guard try offsets(of: topicPartition).contains(offset) else { return nil }
    let reader = try makeReader(ReaderOptions(batchRecordsMax: 1))
    defer { reader.close() }
    try reader.assign([topicPartition: offset])
    for _ in 0..<50 {
      for batch in try reader.poll(timeout: .milliseconds(100)) {
        guard let first = batch.entries.first else { continue }
        return first.offset == offset ? first.value.map { Array(batch.bytes[$0]) } : nil
      }
    }
    return nil
  }
}
