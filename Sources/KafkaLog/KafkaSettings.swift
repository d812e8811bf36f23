import StreamCore

/// What a log's URL and options say, checked, and what librdkafka is therefore told.
struct KafkaSettings: Sendable {
  let url: String
  /// `host:port[,host:port]`.
  let brokers: String
  /// Librdkafka's properties as the user gave them.
  let passed: [String: String]
  /// How long a request may take before it fails as unreachable.
  let requestTimeout: Duration
  /// How long all brokers may be down before a reader's poll says so; `nil`: it waits on.
  let unreachableAfter: Duration?

  static let requestTimeoutName = "projector.request.timeout.ms"
  static let unreachableAfterName = "projector.unreachable.after.ms"

  init(url: String, options: [String: String]) throws(LogError) {
    self.url = url
    self.brokers = try Self.brokers(of: url)
    var passed = options
    let timeout = try Self.milliseconds(passed.removeValue(forKey: Self.requestTimeoutName))
    self.requestTimeout = timeout ?? .seconds(5)
    self.unreachableAfter = try Self.milliseconds(
      passed.removeValue(forKey: Self.unreachableAfterName))
    for (name, value) in passed.sorted(by: { $0.key < $1.key }) {
      try Self.check(name, value)
    }
    self.passed = passed
  }

  private static func brokers(of url: String) throws(LogError) -> String {
    let scheme = "kafka://"
    guard url.hasPrefix(scheme) else {
      throw LogError(.invalid, "'\(url)' is no Kafka URL; write kafka://host:port[,host:port]")
    }
    let brokers = url.dropFirst(scheme.count)
    for broker in brokers.split(separator: ",", omittingEmptySubsequences: false) {
      let colon = broker.lastIndex(of: ":")
      let port = colon.flatMap { UInt16(broker[broker.index(after: $0)...]) }
      guard let colon, colon > broker.startIndex, let port, port > 0,
        !broker.contains("/"), !broker.contains(" ")
      else {
        throw LogError(
          .invalid,
          "'\(broker)' in '\(url)' is no broker; write kafka://host:port[,host:port]")
      }
    }
    return String(brokers)
  }

  private static func milliseconds(_ text: String?) throws(LogError) -> Duration? {
    guard let text else { return nil }
    guard let value = Int32(text), value > 0 else {
      throw LogError(.invalid, "'\(text)' is no positive number of milliseconds")
    }
    return .milliseconds(Int64(value))
  }

  /// Properties that the engine's promises rest on, with the one value each may have; `nil` where
  /// none may be given.
  private static let owned: [String: (values: [String]?, reason: String)] = [
    "bootstrap.servers": (nil, "the brokers are named in the log's URL"),
    "metadata.broker.list": (nil, "the brokers are named in the log's URL"),
    "enable.auto.commit": (["false"], "positions are committed with the state they belong to"),
    "auto.commit.enable": (["false"], "positions are committed with the state they belong to"),
    "enable.auto.offset.store": (["false"], "positions are kept with the state"),
    "enable.partition.eof": (["true"], "the engine waits for an input until its end is known"),
    "isolation.level": (["read_committed"], "aborted records must not reach a view"),
    "auto.offset.reset": (
      ["error"], "a position outside the log is an error, never silently another position"
    ),
    "allow.auto.create.topics": (["false"], "topics are made by 'projector topics create'"),
    "partitioner": (["murmur2_random"], "a key must have the partition the Java client gives it"),
    "acks": (["all", "-1"], "an append has to survive the loss of a broker"),
    "request.required.acks": (["all", "-1"], "an append has to survive the loss of a broker"),
    "enable.idempotence": (["true"], "a retry must not repeat a record"),
    "transactional.id": (nil, "it is derived from the topology"),
    "test.mock.num.brokers": (nil, "each client would have a cluster of its own"),
  ]

  private static func check(_ name: String, _ value: String) throws(LogError) {
    guard let rule = owned[name] else { return }
    if let values = rule.values, values.contains(value.lowercased()) { return }
    let allowed = rule.values.map { "stays '\($0[0])'" } ?? "cannot be given"
    throw LogError(
      .invalid, "Kafka option '\(name)' \(allowed): \(rule.reason); remove it")
  }

  /// How soon a broker that returned is met again: left to itself librdkafka tries less and less
  /// often, up to every 10 s. Of what the user gives of the two only the other one follows, for the
  /// first pause may not be beyond the longest.
  private var reconnecting: [(name: String, value: String)] {
    let first = passed["reconnect.backoff.ms"].flatMap { Int($0) }
    let longest = passed["reconnect.backoff.max.ms"].flatMap { Int($0) }
    return [
      ("reconnect.backoff.ms", "\(min(50, longest ?? 50))"),
      ("reconnect.backoff.max.ms", "\(max(400, first ?? 0))"),
    ]
  }

  /// What a reader may keep that it fetched ahead.
  ///
  /// Librdkafka stops fetching when its queue holds so much, and a fetch is no larger than that
  /// (`fetch.max.bytes` follows it); as much again is what it fetches meanwhile. The other half is
  /// the reader's own, for what has left that queue.
  private static func fetching(_ bytesMax: Int) -> [(name: String, value: String)] {
    let queued = max(bytesMax / 4, 1 << 20)
    return [
      ("queued.max.messages.kbytes", "\(min(queued >> 10, 2_097_151))"),
      // What librdkafka keeps beside a small message is more than the message.
      ("queued.min.messages", "\(min(max(queued / PartitionInbox.messageBytes, 100), 100_000))"),
      // What is thrown away when a partition is paused is up to one such answer.
      ("max.partition.fetch.bytes", "\(min(max(queued / 4, 64 << 10), 512 << 10))"),
    ]
  }

  /// Properties of a consumer, later ones overriding earlier ones.
  ///
  /// - Parameters:
  ///   - group: `nil` for readers: librdkafka's manual assignment needs some group's name, though
  ///     nothing is committed to it.
  ///   - fetchedBytesMax: about how much a reader may keep of what it fetched ahead.
  func consumer(
    group: String? = nil, fetchedBytesMax: Int = ReaderOptions().fetchedBytesMax
  ) -> [(name: String, value: String)] {
    var properties = [
      ("client.id", "projector"), ("group.id", "projector"), ("check.crcs", "true"),
      // The end of a partition is known only with an empty answer, which brokers hold back for
      // this long: an input that waits for another's end would wait for it.
      ("fetch.wait.max.ms", "100"),
      // A leader that moved, or a broker that is just starting, is asked again soon.
      ("fetch.error.backoff.ms", "100"),
      ("socket.nagle.disable", "true"),
    ]
    properties += reconnecting + Self.fetching(fetchedBytesMax)
    properties += passed.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    properties += [
      ("bootstrap.servers", brokers), ("enable.auto.commit", "false"),
      ("enable.auto.offset.store", "false"), ("enable.partition.eof", "true"),
      ("isolation.level", "read_committed"), ("auto.offset.reset", "error"),
      ("allow.auto.create.topics", "false"),
    ]
    if let group {
      properties.append(("group.id", group))
      // Such a client is no member: the session's limit is only how long librdkafka keeps a commit
      // for a coordinator it cannot find, and a close waits for that.
      properties.append(("session.timeout.ms", "\(requestTimeout.millisecondsForC)"))
    }
    return properties
  }

  /// Librdkafka's `message.max.bytes`: key, value and headers of one record.
  func recordBytesMax() throws(LogError) -> Int {
    try Configuration.effective(producer)["message.max.bytes"].flatMap { Int($0) } ?? 1_000_000
  }

  /// Properties of a producer, later ones overriding earlier ones.
  var producer: [(name: String, value: String)] {
    var properties = [
      ("client.id", "projector"),
      // Appends come as whole batches: waiting for more only delays them.
      ("linger.ms", "1"),
      // The Java client's delivery.timeout.ms.
      ("message.timeout.ms", "120000"),
      // As in the Java client: a request goes at once though another's answer is awaited.
      ("socket.nagle.disable", "true"),
    ]
    properties += reconnecting
    properties += passed.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    properties += [
      ("bootstrap.servers", brokers), ("enable.idempotence", "true"), ("acks", "all"),
      ("partitioner", "murmur2_random"), ("allow.auto.create.topics", "false"),
    ]
    return properties
  }
}
