import KafkaLog
import StreamCore
import Testing

@Suite("Options")
struct SettingsTests {
  @Test(
    "what cannot be is refused with a reason",
    arguments: [
      ("kafka://localhost:9092", ["no.such.option": "1"], "Kafka option 'no.such.option': No such"),
      ("kafka://localhost:9092", ["retries": "many"], "Kafka option 'retries': "),
      ("kafka://localhost:9092", ["acks": "1"], "Kafka option 'acks' stays 'all': "),
      (
        "kafka://localhost:9092", ["enable.idempotence": "false"],
        "Kafka option 'enable.idempotence' stays 'true': "
      ),
      (
        "kafka://localhost:9092", ["auto.offset.reset": "earliest"],
        "Kafka option 'auto.offset.reset' stays 'error': "
      ),
      (
        "kafka://localhost:9092", ["bootstrap.servers": "other:9092"],
        "Kafka option 'bootstrap.servers' cannot be given: "
      ),
      ("kafka://localhost:9092", ["projector.request.timeout.ms": "0"], "'0' is no positive"),
      ("kafka://localhost", [:], "'localhost' in 'kafka://localhost' is no broker"),
      ("kafka://a:1,", [:], "'' in 'kafka://a:1,' is no broker"),
      ("kafka://a:66000", [:], "'a:66000' in"),
      ("local:data", [:], "'local:data' is no Kafka URL"),
    ])
  func refused(url: String, options: [String: String], message: String) throws {
    let error = try logError { try KafkaLog.open(url: url, options: options).close() }
    #expect(error.code == .invalid)
    #expect(error.message.hasPrefix(message), "\(error.message)")
  }

  @Test("the values the engine insists on may be given all the same")
  func same() throws {
    let options = [
      "acks": "all", "enable.idempotence": "true", "isolation.level": "read_committed",
    ]
    try KafkaLog.open(url: "kafka://localhost:9092", options: options).close()
  }

  /// A broker that returned is met again within a second, whatever librdkafka's own pauses are.
  @Test(
    "reconnecting is soon, unless the options say otherwise",
    arguments: [
      ([:], "50", "400"), (["reconnect.backoff.max.ms": "9000"], "50", "9000"),
      (["reconnect.backoff.ms": "700"], "700", "700"),
      (["reconnect.backoff.ms": "100"], "100", "400"),
      (["reconnect.backoff.max.ms": "20"], "20", "20"),
      (["reconnect.backoff.ms": "700", "reconnect.backoff.max.ms": "800"], "700", "800"),
    ])
  func reconnecting(options: [String: String], first: String, longest: String) throws {
    let settings = try KafkaLog.effectiveSettings(url: "kafka://a:1", options: options)
    for client in [KafkaSetting.Client.reader, .appender] {
      let values = settings.filter { $0.client == client }
      #expect(values.first { $0.name == "reconnect.backoff.ms" }?.value == first)
      #expect(values.first { $0.name == "reconnect.backoff.max.ms" }?.value == longest)
    }
  }

  @Test("effective settings: durable appends, retries as configured, secrets masked")
  func effective() throws {
    let options = [
      "retries": "3", "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
      "sasl.username": "projector", "sasl.password": "hunter2",
    ]
    let settings = try KafkaLog.effectiveSettings(url: "kafka://a:1,b:2", options: options)
    func value(_ client: KafkaSetting.Client, _ name: String) -> String? {
      settings.first { $0.client == client && $0.name == name }?.value
    }
    #expect(value(.appender, "acks") == "all")
    #expect(value(.appender, "enable.idempotence") == "true")
    #expect(value(.appender, "retries") == "3")
    #expect(value(.appender, "partitioner") == "murmur2_random")
    #expect(value(.appender, "bootstrap.servers") == "a:1,b:2")
    #expect(value(.reader, "isolation.level") == "read_committed")
    #expect(value(.reader, "enable.auto.commit") == "false")
    #expect(value(.reader, "allow.auto.create.topics") == "false")
    #expect(value(.reader, "sasl.username") == "projector")
    #expect(value(.reader, "sasl.password") == "********")
    #expect(!settings.contains { $0.value.contains("hunter2") })
    #expect(settings.filter { $0.isGiven }.count == 2 * options.count)
  }

  @Test(
    "a topic's retention and its configuration mean each other",
    arguments: [
      (TopicRetention(), ["delete", "-1", "-1"]),
      (TopicRetention(time: .seconds(60), bytes: 1_000), ["delete", "60000", "1000"]),
      (TopicRetention(compacted: true), ["compact", "-1", "-1"]),
      (TopicRetention(time: .milliseconds(1), compacted: true), ["compact,delete", "1", "-1"]),
    ])
  func retention(retention: TopicRetention, values: [String]) throws {
    let names = ["cleanup.policy", "retention.ms", "retention.bytes"]
    #expect(retention.configuration.map(\.0) == names)
    #expect(retention.configuration.map(\.1) == values)
    let configuration = Dictionary(uniqueKeysWithValues: zip(names, values))
    #expect(TopicRetention(configuration: configuration) == retention)
    #expect(TopicRetention(configuration: [:]) == nil)
  }
}
