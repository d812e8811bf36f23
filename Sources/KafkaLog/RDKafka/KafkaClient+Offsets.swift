import CRdKafka
import Glibc
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
    let answer = try unsafe settled("list the topics") { milliseconds in
      var metadata: UnsafePointer<rd_kafka_metadata>?
      let error = unsafe rd_kafka_metadata(handle, 1, nil, &metadata, milliseconds)
      return unsafe (error, metadata)
    }
    guard let metadata = unsafe answer else {
      throw failure(RD_KAFKA_RESP_ERR__FAIL, "list the topics")
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

  /// Whether a broker answers within the time.
  func isConnected(within limit: Duration) -> Bool {
    var metadata: UnsafePointer<rd_kafka_metadata>?
    let error = unsafe rd_kafka_metadata(handle, 0, nil, &metadata, limit.millisecondsForC)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { return false }
    unsafe rd_kafka_metadata_destroy(metadata)
    events.brokerAnswered()
    return true
  }

  /// The offset of the first record at or after `time`, -1 where there is none; or with
  /// ``first`` or ``end`` the limits of what a read-committed reader may see.
  ///
  /// `rd_kafka_query_watermark_offsets` answers the same (2.0.2 sends the client's isolation
  /// level), but does not heed its time limit once a request is out.
  func offset(of partition: TopicPartition, _ time: Int64) throws(LogError) -> Offset {
    try offsets(of: [partition], time)[partition] ?? -1
  }

  /// As ``offset(of:_:)`` for many partitions, with one request to each of their leaders.
  func offsets(
    of partitions: [TopicPartition], _ time: Int64
  ) throws(LogError) -> [TopicPartition: Offset] {
    guard let first = partitions.first else { return [:] }
    let others = partitions.count > 1 ? " and \(partitions.count - 1) others" : ""
    return try settled("ask for offsets of \(first)\(others)") { milliseconds in
      let list = PartitionList(partitions.lazy.map { ($0, time) })
      let error = unsafe rd_kafka_offsets_for_times(handle, list.pointer, milliseconds)
      guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { return (error, [:]) }
      var offsets: [TopicPartition: Offset] = [:]
      for index in 0..<list.count {
        let (partition, offset, error) = list[index]
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { return (error, [:]) }
        offsets[partition] = offset
      }
      return (error, offsets)
    }
  }

  /// Special times of the ListOffsets request (Kafka's protocol guide).
  static let end = Int64(-1)
  static let first = Int64(-2)

  /// What the group committed; partitions it committed nothing for are left out.
  func committed(_ partitions: [TopicPartition]) throws(LogError) -> [TopicPartition: Offset] {
    try settled("read committed offsets") { milliseconds in
      let list = PartitionList(partitions.lazy.map { ($0, 0) })
      let error = unsafe rd_kafka_committed(handle, list.pointer, milliseconds)
      guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { return (error, [:]) }
      var offsets: [TopicPartition: Offset] = [:]
      for index in 0..<list.count {
        let (partition, offset, error) = list[index]
        guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { return (error, [:]) }
        if offset >= 0 { offsets[partition] = offset }
      }
      return (error, offsets)
    }
  }

  /// Commits and waits for the coordinator's answer, within the request timeout.
  func commit(_ positions: [TopicPartition: Offset]) throws(LogError) {
    try settled("commit offsets") { milliseconds in
      let list = PartitionList(positions.lazy.map { ($0.key, $0.value) })
      let queue = unsafe rd_kafka_queue_new(handle)
      defer { unsafe rd_kafka_queue_destroy(queue) }
      let error = unsafe rd_kafka_commit_queue(handle, list.pointer, queue, nil, nil)
      guard error == RD_KAFKA_RESP_ERR_NO_ERROR else { return (error, ()) }
      guard let event = unsafe rd_kafka_queue_poll(queue, milliseconds) else {
        return (RD_KAFKA_RESP_ERR__TIMED_OUT, ())
      }
      defer { unsafe rd_kafka_event_destroy(event) }
      return unsafe (Self.problem(ofCommit: event), ())
    }
  }

  /// The answer as a whole bears an error only where all partitions do.
  private static func problem(ofCommit event: OpaquePointer) -> rd_kafka_resp_err_t {
    let error = unsafe rd_kafka_event_error(event)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR,
      let list = unsafe rd_kafka_event_topic_partition_list(event)
    else { return error }
    // SAFETY: the list has `cnt` elements and lives as long as the event.
    for index in unsafe 0..<Int(list.pointee.cnt) {
      let error = unsafe list.pointee.elems[index].err
      if error != RD_KAFKA_RESP_ERR_NO_ERROR { return error }
    }
    return error
  }

  /// Asks again, within the request timeout, while the answer is that a topic's leader or a
  /// group's coordinator is just being found: right after a topic or the first group of a cluster
  /// was made, and while brokers start and stop.
  ///
  /// - Parameter ask: is told the milliseconds left.
  func settled<Answer>(
    _ action: String, _ ask: (_ milliseconds: Int32) -> (rd_kafka_resp_err_t, Answer)
  ) throws(LogError) -> Answer {
    let deadline = ContinuousClock.now + settings.requestTimeout
    while true {
      let (error, answer) = ask((deadline - .now).millisecondsForC)
      if error == RD_KAFKA_RESP_ERR_NO_ERROR { return answer }
      let left = deadline - .now
      guard error.isPassing, left > .zero else { throw failure(error, action) }
      usleep(UInt32(min(left, .milliseconds(50)).millisecondsForC) * 1_000)
    }
  }
}

extension rd_kafka_resp_err_t {
  /// Whether a broker says that it is not yet, or no longer, the one to ask.
  ///
  /// The topic is known to be there when partitions are asked about, so "unknown" only means that
  /// its leader has not heard of it yet.
  fileprivate var isPassing: Bool {
    switch self {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
      RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
      RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
      RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
      RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__TRANSPORT:
      true
    default: false
    }
  }
}
