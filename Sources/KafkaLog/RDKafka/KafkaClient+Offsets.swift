import CRdKafka
import StreamCore

extension KafkaClient {
  /// The cluster's topics and one of its brokers.
  struct Cluster {
    /// Partition counts of all topics, by name.
    var partitions: [String: Int] = [:]
    var broker = Int32(-1)
  }

  ///
  /// All topics are asked for, never one by name: a broker older than 0.11, and librdkafka's mock,
  /// would create the one that is named.
  func cluster() throws(LogError) -> Cluster {
    var metadata: UnsafePointer<rd_kafka_metadata>?
    let error = unsafe rd_kafka_metadata(
      handle, 1, nil, &metadata, settings.requestTimeout.millisecondsForC)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata = unsafe metadata else {
      throw failure(error, "list the topics")
    }
    defer { unsafe rd_kafka_metadata_destroy(metadata) }
    events.brokerAnswered()
    var cluster = Cluster()
    if unsafe metadata.pointee.broker_cnt > 0 {
      cluster.broker = unsafe metadata.pointee.brokers[0].id
    }
    // SAFETY: the metadata has `topic_cnt` topics and is ours until destroyed.
    for index in unsafe 0..<Int(metadata.pointee.topic_cnt) {
      let topic = unsafe metadata.pointee.topics[index]
      guard unsafe topic.partition_cnt > 0 else { continue }
      unsafe cluster.partitions[String(cString: topic.topic)] = unsafe Int(topic.partition_cnt)
    }
    return cluster
  }

  /// The offset of the first record at or after `time`, -1 where there is none; or with
  /// ``first`` or ``end`` the limits of what a read-committed reader may see.
  ///
  /// `rd_kafka_query_watermark_offsets` answers the same (2.0.2 sends the client's isolation
  /// level), but does not heed its time limit once a request is out.
  func offset(of partition: TopicPartition, _ time: Int64) throws(LogError) -> Offset {
    let list = PartitionList([(partition, time)])
    let error = unsafe rd_kafka_offsets_for_times(
      handle, list.pointer, settings.requestTimeout.millisecondsForC)
    let answer = list[0]
    let problem = error == RD_KAFKA_RESP_ERR_NO_ERROR ? answer.error : error
    guard problem == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw failure(problem, "ask for offsets of \(partition)")
    }
    return answer.offset
  }

  /// Special times of the ListOffsets request (Kafka's protocol guide).
  static let end = Int64(-1)
  static let first = Int64(-2)

  /// What the group committed; partitions it committed nothing for are left out.
  func committed(_ partitions: [TopicPartition]) throws(LogError) -> [TopicPartition: Offset] {
    let list = PartitionList(partitions.lazy.map { ($0, 0) })
    let error = unsafe rd_kafka_committed(
      handle, list.pointer, settings.requestTimeout.millisecondsForC)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw failure(error, "read committed offsets")
    }
    var offsets: [TopicPartition: Offset] = [:]
    for index in 0..<list.count {
      let (partition, offset, error) = list[index]
      guard error == RD_KAFKA_RESP_ERR_NO_ERROR else {
        throw failure(error, "read committed offsets of \(partition)")
      }
      if offset >= 0 { offsets[partition] = offset }
    }
    return offsets
  }

  /// Commits and waits for the coordinator's answer, within the request timeout.
  func commit(_ positions: [TopicPartition: Offset]) throws(LogError) {
    let list = PartitionList(positions.lazy.map { ($0.key, $0.value) })
    let queue = unsafe rd_kafka_queue_new(handle)
    defer { unsafe rd_kafka_queue_destroy(queue) }
    var error = unsafe rd_kafka_commit_queue(handle, list.pointer, queue, nil, nil)
    if error == RD_KAFKA_RESP_ERR_NO_ERROR {
      let event = unsafe rd_kafka_queue_poll(queue, settings.requestTimeout.millisecondsForC)
      error = unsafe event == nil ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event)
      unsafe rd_kafka_event_destroy(event)
    }
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { throw failure(error, "commit offsets") }
  }
}
