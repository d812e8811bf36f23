import Glibc
import StreamCore

/// A setting that users may give: by option, environment or file.
struct SettingKey {
  let name: String
  let summary: String
  /// As users would write it; `nil` where there is none.
  let standard: String?
  /// What is wrong with a value, and what it may be; `nil` where it is valid.
  let check: @Sendable (String) -> String?

  static let all: [SettingKey] = [
    SettingKey(name: "log", summary: "URL of the log", standard: nil) { url in
      if LogFactory.hasCredentials(url) {
        return "give credentials as kafka.sasl.username and kafka.sasl.password, never in the URL"
      }
      return LogFactory.isURL(url) ? nil : "write local:DIR or kafka://host:port[,host:port]"
    },
    SettingKey(name: "state", summary: "state directory", standard: nil) { path in
      path.isEmpty ? "name a directory" : nil
    },
    SettingKey(
      name: "threads", summary: "threads that drive tasks", standard: String(processors)
    ) { text in count(text, in: 1...256) },
    SettingKey(
      name: "memory", summary: "anonymous memory that the process aims at",
      standard: "240MiB"
    ) { text in
      guard let size = ByteSize.parse(text) else { return "write a size, as 240MiB" }
      return size < 32 << 20 ? "it needs 32MiB at least" : nil
    },
    SettingKey(
      name: "commitRecords", summary: "records of a task in one commit, when behind",
      standard: "100000"
    ) { text in count(text, in: 1...10_000_000) },
    SettingKey(
      name: "commitAge", summary: "oldest an open commit interval gets", standard: "2s"
    ) { text in
      guard let duration = Duration(text: text) else { return "write a duration, as 500ms" }
      return duration > .zero ? nil : "it must be longer than nothing"
    },
    SettingKey(
      name: "stopTimeout", summary: "how long a stop may take for its last work", standard: "3s"
    ) { text in
      Duration(text: text) == nil ? "write a duration, as 3s" : nil
    },
    SettingKey(
      name: "snapshotInterval", summary: "time from one snapshot of the state to the next, or off",
      standard: "1h"
    ) { text in
      if text == "off" { return nil }
      guard let duration = Duration(text: text) else { return "write a duration, as 1h, or off" }
      return duration > .zero ? nil : "it must be longer than nothing; off takes none"
    },
    SettingKey(
      name: "snapshotsKept", summary: "newest snapshots that stay", standard: "2"
    ) { text in count(text, in: 1...1_000) },
    SettingKey(name: "logLevel", summary: "least severe message to print", standard: "info") {
      Settings.level($0) == nil
        ? "write trace, debug, info, notice, warning, error or critical" : nil
    },
    SettingKey(name: "logFormat", summary: "form of messages", standard: "text") {
      LogFormat(rawValue: $0) == nil ? "write text or json" : nil
    },
  ]

  static func named(_ name: String) -> SettingKey? { all.first { $0.name == name } }

  /// Options of librdkafka, passed on under its own names.
  static let kafkaPrefix = "kafka."

  /// `PROJECTOR_COMMIT_AGE`.
  var variable: String {
    var text = "PROJECTOR_"
    for character in name {
      if character.isUppercase { text.append("_") }
      text.append(contentsOf: character.uppercased())
    }
    return text
  }

  private static var processors: Int { min(256, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) }

  /// Whether a value is never to be printed.
  static func isSecret(_ name: String) -> Bool {
    let name = name.lowercased()
    return ["password", "secret", "token", "credential", ".pem", "jaas", "oauthbearer.config"]
      .contains { name.contains($0) }
  }

  /// A value as it may be printed.
  static func printable(_ value: String, of name: String) -> String {
    if isSecret(name) { return mask }
    return name == "log" ? LogFactory.printable(value) : value
  }

  static let mask = "********"

  private static func count(_ text: String, in range: ClosedRange<Int>) -> String? {
    if let number = Int(text), range.contains(number) { return nil }
    return "write a number from \(range.lowerBound) to \(range.upperBound)"
  }
}
