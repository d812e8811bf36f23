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

  /// Whether a URL names a user, or has options: both could hold a secret, and a URL is printed.
  static func hasCredentials(_ url: String) -> Bool {
    !isLocal(url) && url.contains("://") && url.contains { $0 == "@" || $0 == "?" }
  }

  /// The URL without a user and options.
  static func printable(_ url: String) -> String {
    guard hasCredentials(url), let scheme = url.firstRange(of: "://") else { return url }
    var rest = url[scheme.upperBound...]
    var options = ""
    if let question = rest.firstIndex(of: "?") {
      rest = rest[..<question]
      options = "?" + SettingKey.mask
    }
    guard let at = rest.lastIndex(of: "@") else {
      return url[..<scheme.upperBound] + rest + options
    }
    return url[..<scheme.upperBound] + SettingKey.mask + rest[at...] + options
  }

  static func isLocal(_ url: String) -> Bool { url.hasPrefix(localScheme) }

  /// - Parameter create: whether a local log that is missing is made.
  /// - Throws: ``StreamCore/LogError``.
  static func open(_ url: String, create: Bool, settings: Settings) throws -> any RecordLog {
    if isLocal(url) { return try EmbeddedLog.open(url, create: create) }
    return try KafkaLog.open(url: url, options: settings.kafka)
  }
}
