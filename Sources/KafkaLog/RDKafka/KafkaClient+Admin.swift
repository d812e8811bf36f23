import CRdKafka
import Glibc
import StreamCore

extension KafkaClient {
  func createTopic(_ name: String, partitions: Int, configuration: [(String, String)])
    throws(LogError)
  {
    guard let count = Int32(exactly: partitions), count > 0 else {
      throw LogError(.invalid, "topic '\(name)' needs at least one partition, not \(partitions)")
    }
    // -1: the broker's default.replication.factor.
    let (made, problem) = unsafe withErrorText {
      unsafe rd_kafka_NewTopic_new(name, count, -1, $0, $1)
    }
    guard let topic = unsafe made else {
      throw LogError(.invalid, "topic '\(name)': \(problem)")
    }
    defer { unsafe rd_kafka_NewTopic_destroy(topic) }
    for (key, value) in configuration {
      unsafe rd_kafka_NewTopic_set_config(topic, key, value)
    }
    var topics: OpaquePointer? = unsafe topic
    let action = "create topic '\(name)'"
    try unsafe administer(RD_KAFKA_ADMIN_OP_CREATETOPICS, action) { options, queue in
      unsafe rd_kafka_CreateTopics(handle, &topics, 1, options, queue)
    } reading: { event in
      var count = 0
      let results = unsafe rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(event), &count)
      return unsafe firstProblem(results, count, action)
    }
  }

  /// Waits until the cluster's topics include one that was just created: brokers hear of it after
  /// the controller has answered. Gives up quietly, for it is made.
  func awaitTopic(_ name: String) throws(LogError) {
    let deadline = ContinuousClock.now + settings.requestTimeout
    while try cluster().partitions[name] == nil, .now < deadline { usleep(20_000) }
  }

  func deleteTopic(_ name: String) throws(LogError) {
    let topic = unsafe rd_kafka_DeleteTopic_new(name)
    defer { unsafe rd_kafka_DeleteTopic_destroy(topic) }
    var topics: OpaquePointer? = unsafe topic
    let action = "delete topic '\(name)'"
    try unsafe administer(RD_KAFKA_ADMIN_OP_DELETETOPICS, action) { options, queue in
      unsafe rd_kafka_DeleteTopics(handle, &topics, 1, options, queue)
    } reading: { event in
      var count = 0
      let results = unsafe rd_kafka_DeleteTopics_result_topics(
        rd_kafka_event_DeleteTopics_result(event), &count)
      return unsafe firstProblem(results, count, action)
    }
  }

  func deleteOffsets(group: String, _ partitions: [TopicPartition]) throws(LogError) {
    let list = PartitionList(partitions.lazy.map { ($0, 0) })
    let request = unsafe rd_kafka_DeleteConsumerGroupOffsets_new(group, list.pointer)
    defer { unsafe rd_kafka_DeleteConsumerGroupOffsets_destroy(request) }
    var requests: OpaquePointer? = unsafe request
    let action = "delete the offsets of group '\(group)'"
    try unsafe administer(RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, action) { options, queue in
      unsafe rd_kafka_DeleteConsumerGroupOffsets(handle, &requests, 1, options, queue)
    } reading: { event in
      var count = 0
      let groups = unsafe rd_kafka_DeleteConsumerGroupOffsets_result_groups(
        rd_kafka_event_DeleteConsumerGroupOffsets_result(event), &count)
      guard count > 0, let result = unsafe groups?[0] else { return nil }
      if let error = unsafe rd_kafka_group_result_error(result) {
        let code = unsafe rd_kafka_error_code(error)
        return code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND ? nil : failure(code, action)
      }
      guard let answer = unsafe rd_kafka_group_result_partitions(result) else { return nil }
      // SAFETY: the list has `cnt` elements and lives as long as the event.
      for index in unsafe 0..<Int(answer.pointee.cnt) {
        let error = unsafe answer.pointee.elems[index].err
        if error != RD_KAFKA_RESP_ERR_NO_ERROR { return failure(error, action) }
      }
      return nil
    }
  }

  /// Configuration values of topics, by topic and name.
  ///
  /// - Parameter broker: any of the cluster; the controller need not be found.
  func topicConfigurations(_ topics: [String], broker: Int32) throws(LogError) -> [String: [String:
    String]]
  {
    var resources = unsafe topics.map {
      unsafe rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, $0)
    }
    defer { unsafe rd_kafka_ConfigResource_destroy_array(&resources, resources.count) }
    var values: [String: [String: String]] = [:]
    try unsafe administer(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "describe topics") { options, queue in
      _ = unsafe withErrorText { text, size in
        unsafe rd_kafka_AdminOptions_set_broker(options, broker, text, size)
      }
      unsafe rd_kafka_DescribeConfigs(handle, &resources, resources.count, options, queue)
    } reading: { event in
      var count = 0
      let answers = unsafe rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count)
      for index in 0..<count {
        guard let resource = unsafe answers?[index],
          unsafe rd_kafka_ConfigResource_error(resource) == RD_KAFKA_RESP_ERR_NO_ERROR
        else { continue }
        var entryCount = 0
        let entries = unsafe rd_kafka_ConfigResource_configs(resource, &entryCount)
        var named: [String: String] = [:]
        for entry in 0..<entryCount {
          guard let entry = unsafe entries?[entry],
            let value = unsafe rd_kafka_ConfigEntry_value(entry)
          else { continue }
          unsafe named[String(cString: rd_kafka_ConfigEntry_name(entry))] =
            unsafe String(cString: value)
        }
        unsafe values[String(cString: rd_kafka_ConfigResource_name(resource))] = named
      }
      return nil
    }
    return values
  }

  /// Sends one administrative request and waits for its answer.
  ///
  /// - Parameter reading: the problem of a single item in the answer, where there is one.
  private func administer(
    _ operation: rd_kafka_admin_op_t, _ action: String,
    _ request: (_ options: OpaquePointer?, _ queue: OpaquePointer?) -> Void,
    reading: (_ event: OpaquePointer) -> LogError?
  ) throws(LogError) {
    let timeout = settings.requestTimeout.millisecondsForC
    let queue = unsafe rd_kafka_queue_new(handle)
    defer { unsafe rd_kafka_queue_destroy(queue) }
    let options = unsafe rd_kafka_AdminOptions_new(handle, operation)
    defer { unsafe rd_kafka_AdminOptions_destroy(options) }
    _ = unsafe withErrorText { text, size in
      unsafe rd_kafka_AdminOptions_set_request_timeout(options, timeout, text, size)
    }
    unsafe request(options, queue)
    // Librdkafka keeps the request's own time limit; the margin is for its answer to arrive.
    guard let event = unsafe rd_kafka_queue_poll(queue, timeout + 1_000) else {
      throw failure(RD_KAFKA_RESP_ERR__TIMED_OUT, action)
    }
    defer { unsafe rd_kafka_event_destroy(event) }
    let error = unsafe rd_kafka_event_error(event)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR else {
      if let words = unsafe rd_kafka_event_error_string(event) {
        unsafe events.say(String(cString: words))
      }
      throw failure(error, action)
    }
    if let problem = unsafe reading(event) { throw problem }
  }

  private func firstProblem(
    _ results: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, _ action: String
  ) -> LogError? {
    for index in 0..<count {
      guard let result = unsafe results?[index] else { continue }
      let error = unsafe rd_kafka_topic_result_error(result)
      guard error != RD_KAFKA_RESP_ERR_NO_ERROR else { continue }
      let problem = failure(error, action)
      guard let words = unsafe rd_kafka_topic_result_error_string(result) else { return problem }
      return unsafe LogError(problem.code, "\(problem.message): \(String(cString: words))")
    }
    return nil
  }
}
