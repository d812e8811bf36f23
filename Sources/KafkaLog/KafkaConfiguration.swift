public import StreamCore

/// One effective property of the Kafka clients, for `config` and `describe`.
public struct KafkaSetting: Hashable, Sendable {
  /// Which clients it holds for.
  public enum Client: String, Sendable { case reader, appender }
  public let client: Client
  /// Librdkafka's name.
  public let name: String
  /// Secrets read `********`.
  public let value: String
  /// Whether the options given by the user name it.
  public let isGiven: Bool
}

extension KafkaLog {
  /// Every property with its effective value, by client and name; needs no broker.
  ///
  /// - Throws: ``LogError`` with `.invalid`.
  public static func effectiveSettings(url: String, options: [String: String] = [:])
    throws(LogError) -> [KafkaSetting]
  {
    let settings = try KafkaSettings(url: url, options: options)
    return try list(.appender, settings.producer, settings)
      + list(.reader, settings.consumer(), settings)
  }

  /// Every property with its effective value, by client and name.
  public func effectiveSettings() throws(LogError) -> [KafkaSetting] {
    try Self.list(.appender, settings.producer, settings)
      + Self.list(.reader, settings.consumer(), settings)
  }

  private static func list(
    _ client: KafkaSetting.Client, _ properties: [(name: String, value: String)],
    _ settings: KafkaSettings
  ) throws(LogError) -> [KafkaSetting] {
    let values = try Configuration.effective(properties)
    return values.map { canonical, value in
      let name = usual[canonical] ?? canonical
      let isGiven = settings.passed[name] != nil || settings.passed[canonical] != nil
      return KafkaSetting(
        client: client, name: name, value: shown(name, value), isGiven: isGiven)
    }.sorted { $0.name < $1.name }
  }

  /// Librdkafka dumps some properties under older names than those in use (rdkafka_conf.c, aliases).
  private static let usual = [
    "request.required.acks": "acks", "message.send.max.retries": "retries",
    "metadata.broker.list": "bootstrap.servers", "sasl.mechanisms": "sasl.mechanism",
    "compression.codec": "compression.type", "queue.buffering.max.ms": "linger.ms",
    "message.timeout.ms": "delivery.timeout.ms",
    "fetch.message.max.bytes": "max.partition.fetch.bytes",
  ]

  private static func shown(_ name: String, _ value: String) -> String {
    // Librdkafka prints the number.
    if name == "acks", value == "-1" { return "all" }
    let secrets = ["password", "secret", "key.pem", "oauthbearer.config", "ssl_key"]
    guard secrets.contains(where: { name.contains($0) }), !value.isEmpty else { return value }
    return "********"
  }
}
