public import StreamCore
import Synchronization

/// Kafka behind the ``RecordLog`` protocol.
public final class KafkaLog: RecordLog {
  public let url: String
  /// Librdkafka's `message.max.bytes`; brokers have limits of their own (`max.message.bytes`).
  public let recordBytesMax: Int
  let settings: KafkaSettings
  /// Answers questions about topics, offsets and groups; reads and appends nothing.
  let control: KafkaClient
  private let groups = Mutex<[String: KafkaClient]>([:])

  private init(_ settings: KafkaSettings) throws(LogError) {
    self.url = settings.url
    self.settings = settings
    // Librdkafka refuses some combinations only of a producer: better now than at the first append.
    self.recordBytesMax = try settings.recordBytesMax()
    self.control = try KafkaClient(.consumer, settings, properties: settings.consumer())
  }

  /// Names a log; no broker is asked yet.
  ///
  /// - Parameters:
  ///   - url: `kafka://host:port[,host:port]`.
  ///   - options: librdkafka's properties by its own names (`security.protocol`, `retries`, …),
  ///     and two of ours in milliseconds: `projector.request.timeout.ms` (5000), after which a
  ///     request fails as unreachable, and `projector.unreachable.after.ms` (never), after which
  ///     a reader's poll reports that all brokers are down instead of waiting on.
  /// - Throws: ``LogError`` with `.invalid`, with librdkafka's own words where they are its.
  public static func open(url: String, options: [String: String] = [:]) throws(LogError)
    -> KafkaLog
  {
    try KafkaLog(KafkaSettings(url: url, options: options))
  }

  /// Librdkafka sends an append of any size in parts; what it holds of it is memory.
  public var appendBytesMax: Int { max(recordBytesMax, 64 << 20) }

  public func topics() throws(LogError) -> [TopicDescription] {
    try describe(control.cluster()).sorted { $0.name < $1.name }
  }

  public func topic(_ name: String) throws(LogError) -> TopicDescription? {
    var cluster = try control.cluster()
    guard let count = cluster.partitions[name] else { return nil }
    cluster.partitions = [name: count]
    return describe(cluster).first
  }

  public func topics(
    named names: some Collection<String>
  ) throws(LogError) -> [String: TopicDescription] {
    let names = Set(names)
    var cluster = try control.cluster()
    cluster.partitions = cluster.partitions.filter { names.contains($0.key) }
    return Dictionary(uniqueKeysWithValues: describe(cluster).map { ($0.name, $0) })
  }

  private func describe(_ cluster: KafkaClient.Cluster) -> [TopicDescription] {
    let counts = cluster.partitions
    guard !counts.isEmpty else { return [] }
    // A broker that cannot or may not tell leaves the retention unknown.
    let configurations =
      (try? control.topicConfigurations(Array(counts.keys), broker: cluster.broker)) ?? [:]
    return counts.map { name, count in
      TopicDescription(
        name: name, partitions: count,
        retention: configurations[name].flatMap(TopicRetention.init(configuration:)))
    }
  }

  /// - Throws: ``LogError`` with `.topicMissing` or `.partitionMissing`.
  func check(_ partitions: some Collection<TopicPartition>) throws(LogError) {
    guard !partitions.isEmpty else { return }
    let counts = try control.cluster().partitions
    for partition in partitions.sorted() {
      guard let count = counts[partition.topic] else {
        throw .topicMissing(partition.topic, at: url)
      }
      guard (0..<count).contains(partition.partition) else {
        throw .partitionMissing(partition, count: count)
      }
    }
  }

  public func offsets(of topicPartition: TopicPartition) throws(LogError) -> Range<Offset> {
    try offsets(of: [topicPartition])[topicPartition] ?? 0..<0
  }

  /// Two requests to each of the leaders.
  public func offsets(
    of topicPartitions: [TopicPartition]
  ) throws(LogError) -> [TopicPartition: Range<Offset>] {
    try check(topicPartitions)
    let starts = try control.offsets(of: topicPartitions, KafkaClient.first)
    let ends = try control.offsets(of: topicPartitions, KafkaClient.end)
    var offsets: [TopicPartition: Range<Offset>] = [:]
    for (partition, end) in ends {
      // Retention may have moved the start on between the two answers.
      offsets[partition] = min(starts[partition] ?? end, end)..<end
    }
    return offsets
  }

  public func offset(of topicPartition: TopicPartition, at time: Timestamp) throws(LogError)
    -> Offset?
  {
    let range = try offsets(of: topicPartition)
    // Negative times have other meanings in the request, and records before 1970 lie at time 0.
    guard time > .epoch, !range.isEmpty else { return range.lowerBound }
    let offset = try control.offset(of: topicPartition, time.milliseconds)
    guard offset < 0 else { return offset }
    // Nothing that late. A backend that finds nothing at or after 1970 either keeps no times.
    return try control.offset(of: topicPartition, 0) < 0 ? nil : range.upperBound
  }

  public func makeReader(_ options: ReaderOptions) throws(LogError) -> any RecordReader {
    try KafkaReader(self, options)
  }

  public func makeAppender() throws(LogError) -> any RecordAppender { try KafkaAppender(self) }

  public var administration: (any TopicAdministration)? { KafkaAdministration(log: self) }
  public var groupOffsets: (any GroupOffsets)? { KafkaGroupOffsets(log: self) }
  public var idempotentAppends: (any IdempotentAppends)? { nil }
  public var expectedSequenceAppends: (any ExpectedSequenceAppends)? { nil }
  public var transactions: (any TransactionalAppends)? { nil }

  /// The client that commits for a group: made once, kept until the log is closed.
  func client(group: String) throws(LogError) -> KafkaClient {
    guard !group.isEmpty else { throw LogError(.invalid, "a consumer group needs a name") }
    if let known = groups.withLock({ $0[group] }) { return known }
    let made = try KafkaClient(.consumer, settings, properties: settings.consumer(group: group))
    return groups.withLock { clients in
      if let known = clients[group] { return known }
      clients[group] = made
      return made
    }
  }

  public func close() {
    let clients = groups.withLock { clients in
      defer { clients = [:] }
      return clients.values.map { $0 }
    }
    for client in clients { client.close() }
    control.close()
  }
}
