import EmbeddedLog
import KafkaLog
import StreamCore

/// Opens the log that a URL names.
enum LogFactory {
  static let localScheme = "local:"
  static let kafkaScheme = "kafka://"

  static func isURL(_ url: String) -> Bool {
    for scheme in [localScheme, kafkaScheme] where url.hasPrefix(scheme) {
      return url.count > scheme.count
    }
    return false
  }

  static func isLocal(_ url: String) -> Bool { url.hasPrefix(localScheme) }

  /// - Parameter create: whether a local log that is missing is made.
  /// - Throws: ``StreamCore/LogError``.
  static func open(_ url: String, create: Bool, settings: Settings) throws -> any RecordLog {
    if isLocal(url) { return try EmbeddedLog.open(url, create: create) }
    return try KafkaLog.open(url: url, options: settings.kafka)
  }
}
