import CRdKafka
import StreamCore

/// Librdkafka's configuration objects.
enum Configuration {
  /// - Returns: a configuration that the caller destroys or hands to `rd_kafka_new`.
  /// - Throws: ``LogError`` with `.invalid` and librdkafka's text.
  static func make(_ properties: [(name: String, value: String)]) throws(LogError)
    -> OpaquePointer
  {
    guard let configuration = unsafe rd_kafka_conf_new() else {
      throw LogError(.failed, "librdkafka gave no configuration")
    }
    for (name, value) in properties {
      let (result, problem) = unsafe withErrorText {
        unsafe rd_kafka_conf_set(configuration, name, value, $0, $1)
      }
      guard result != RD_KAFKA_CONF_OK else { continue }
      unsafe rd_kafka_conf_destroy(configuration)
      throw LogError(.invalid, "Kafka option '\(name)': \(problem)")
    }
    return unsafe configuration
  }

  /// All properties with the values that `properties` give them, by name, defaults included.
  static func effective(_ properties: [(name: String, value: String)]) throws(LogError)
    -> [String: String]
  {
    let configuration = try unsafe make(properties)
    defer { unsafe rd_kafka_conf_destroy(configuration) }
    var values: [String: String] = [:]
    var count = 0
    let global = unsafe rd_kafka_conf_dump(configuration, &count)
    unsafe collect(global, count, into: &values)
    let topic = unsafe rd_kafka_topic_conf_dump(
      rd_kafka_conf_get_default_topic_conf(configuration), &count)
    unsafe collect(topic, count, into: &values)
    return values
  }

  private static func collect(
    _ pairs: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ count: Int,
    into values: inout [String: String]
  ) {
    guard let pairs = unsafe pairs else { return }
    // SAFETY: librdkafka gives names and values in turn, `count` of them together.
    for index in stride(from: 0, to: count - 1, by: 2) {
      guard let name = unsafe pairs[index], let value = unsafe pairs[index + 1] else { continue }
      unsafe values[String(cString: name)] = unsafe String(cString: value)
    }
    unsafe rd_kafka_conf_dump_free(pairs, count)
  }
}
