package import StreamCore

struct KafkaAdministration: TopicAdministration {
  let log: KafkaLog

  func createTopic(_ name: String, partitions: Int, retention: TopicRetention) throws(LogError) {
    try check(name)
    // Since 4.0 a topic refuses by default what is more than an hour ahead of the broker's clock;
    // event times may be anything. Brokers before 3.6 have no such limit, and not its name.
    let anyTime = ("message.timestamp.after.max.ms", String(Int64.max))
    do {
      try log.control.createTopic(
        name, partitions: partitions, configuration: retention.configuration + [anyTime])
    } catch  where error.code == .invalid {
      try log.control.createTopic(
        name, partitions: partitions, configuration: retention.configuration)
    }
    try log.control.awaitTopic(name)
  }

  /// Kafka's rule (org.apache.kafka.common.internals.Topic), so that an answer needs no broker.
  private func check(_ name: String) throws(LogError) {
    let isLegal = name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "-"):
        true
      default: false
      }
    }
    guard isLegal, (1...249).contains(name.utf8.count), name != ".", name != ".." else {
      throw LogError(
        .invalid,
        "'\(name)' is no topic name: 1 to 249 letters, digits, dots, underscores and hyphens")
    }
  }

  func deleteTopic(_ name: String) throws(LogError) {
    do {
      try log.control.deleteTopic(name)
    } catch  where error.code == .topicMissing {
      throw LogError(.topicMissing, "there is no topic '\(name)' at \(log.url)")
    }
  }
}

struct KafkaGroupOffsets: GroupOffsets {
  let log: KafkaLog

  func committed(group: String, _ partitions: [TopicPartition]) throws(LogError)
    -> [TopicPartition: Offset]
  {
    guard !partitions.isEmpty else { return [:] }
    return try log.client(group: group).committed(partitions)
  }

  func commit(group: String, _ positions: [TopicPartition: Offset]) throws(LogError) {
    guard !positions.isEmpty else { return }
    try log.client(group: group).commit(positions)
  }

  func delete(group: String, _ partitions: [TopicPartition]) throws(LogError) {
    guard let first = partitions.first else { return }
    // Librdkafka 2.0.2 aborts the process where a broker lacks this request (Kafka before 2.4, its
    // own mock). Whoever lacks an older one that any broker answers lacks this one too.
    do {
      let broker = try log.control.cluster().broker
      _ = try log.control.topicConfigurations([first.topic], broker: broker)
    } catch  where error.code == .unsupported {
      throw LogError(
        .unsupported,
        "cannot delete the offsets of group '\(group)' at \(log.url): this needs Kafka 2.4 or newer"
      )
    }
    try log.control.deleteOffsets(group: group, partitions)
  }
}

extension TopicRetention {
  /// The topic configuration that keeps records this way.
  package var configuration: [(String, String)] {
    let removes = time != nil || bytes != nil
    let policy = compacted ? (removes ? "compact,delete" : "compact") : "delete"
    return [
      ("cleanup.policy", policy),
      ("retention.ms", time.map { String($0.millisecondsForRetention) } ?? "-1"),
      ("retention.bytes", bytes.map(String.init) ?? "-1"),
    ]
  }

  /// - Returns: `nil` where the broker told no clean-up policy.
  package init?(configuration: [String: String]) {
    guard let policy = configuration["cleanup.policy"] else { return nil }
    let policies = policy.split(separator: ",")
    self.init(compacted: policies.contains("compact"))
    guard policies.contains("delete") else { return }
    if let milliseconds = configuration["retention.ms"].flatMap(Int64.init), milliseconds >= 0 {
      time = .milliseconds(milliseconds)
    }
    if let size = configuration["retention.bytes"].flatMap(Int.init), size >= 0 { bytes = size }
  }
}

extension Duration {
  fileprivate var millisecondsForRetention: Int64 {
    let (seconds, attoseconds) = components
    let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
    return overflow ? .max : milliseconds + attoseconds / 1_000_000_000_000_000
  }
}
