import JSONSerdes
import Logging
import StreamCore

/// Effective settings, each with where it comes from.
///
/// An option wins over the environment, which wins over the file. Unknown keys are errors, but an
/// unknown variable is a warning: others put theirs there (a Kubernetes service named projector sets
/// PROJECTOR_PORT).
struct Settings {
  struct Entry: Hashable {
    let value: String
    /// As `option`, `PROJECTOR_LOG`, `projector.json` or `default`.
    let origin: String
  }

  private(set) var entries: [String: Entry] = [:]
  /// What is to be said about them once it can be.
  private(set) var warnings: [String] = []

  /// - Parameters:
  ///   - options: what a verb's own options say.
  ///   - assignments: KEY=VALUE of `--set`.
  ///   - file: of `--config`; `nil` takes `projector.json`, where there is one.
  init(
    options: [(key: String, value: String?)], assignments: [String],
    environment: [String: String], file: String?
  ) throws {
    for key in SettingKey.all {
      if let standard = key.standard {
        entries[key.name] = Entry(value: standard, origin: "default")
      }
    }
    try read(file: file)
    try read(environment)
    for assignment in assignments {
      guard let equals = assignment.firstIndex(of: "="), equals != assignment.startIndex else {
        throw Failure.usage("'\(assignment)' is no setting", todo: "write --set KEY=VALUE")
      }
      try set(
        String(assignment[..<equals]), String(assignment[assignment.index(after: equals)...]),
        from: "--set", .usage)
    }
    for (key, value) in options {
      if let value { try set(key, value, from: "option", .usage) }
    }
  }

  private mutating func read(_ environment: [String: String]) throws {
    let names = Dictionary(
      SettingKey.all.map { ($0.variable, $0.name) }, uniquingKeysWith: { first, _ in first })
    let kafka = "PROJECTOR_KAFKA_"
    for (variable, value) in environment.sorted(by: { $0.key < $1.key })
    where variable.hasPrefix("PROJECTOR_") {
      if let key = names[variable] {
        try set(key, value, from: variable, .invalid)
      } else if variable.hasPrefix(kafka), variable.count > kafka.count {
        let name = variable.dropFirst(kafka.count).lowercased().split(separator: "_")
          .joined(separator: ".")
        try set(SettingKey.kafkaPrefix + name, value, from: variable, .invalid)
      } else {
        warnings.append("there is no setting \(variable) (environment); it is left out")
      }
    }
  }

  private mutating func read(file: String?) throws {
    let path = file ?? "projector.json"
    guard let bytes = try SystemFile.read(path) else {
      if file == nil { return }
      throw Failure(.invalid, "there is no settings file", at: path, todo: "correct --config")
    }
    var seen: Set<String> = []
    for (key, value) in try SettingsFile.parse(bytes, path: path) {
      guard seen.insert(key).inserted else {
        throw Failure(
          .invalid, "setting '\(key)' is given twice", at: path, todo: "give each once")
      }
      try set(key, value, from: path, .invalid)
    }
  }

  private mutating func set(
    _ key: String, _ value: String, from origin: String, _ status: ExitStatus
  ) throws {
    if key.hasPrefix(SettingKey.kafkaPrefix), key.count > SettingKey.kafkaPrefix.count {
      entries[key] = Entry(value: value, origin: origin)
      return
    }
    guard let known = SettingKey.named(key) else {
      throw Self.unknown(key, from: origin, status)
    }
    if let problem = known.check(value) {
      throw Failure(
        status, "'\(SettingKey.printable(value, of: key))' is no value of setting '\(key)'",
        at: origin, todo: problem)
    }
    entries[key] = Entry(value: value, origin: origin)
  }

  private static func unknown(_ key: String, from origin: String, _ status: ExitStatus) -> Failure {
    let names = SettingKey.all.map(\.name).joined(separator: ", ")
    return Failure(
      status, "there is no setting '\(key)'", at: origin,
      todo: "remove it, or use one of \(names), kafka.NAME")
  }

  // MARK: Typed

  subscript(_ key: String) -> String? { entries[key]?.value }

  /// - Throws: ``Failure`` that says how to give it.
  func require(_ key: String) throws -> String {
    if let value = self[key] { return value }
    let variable = SettingKey.named(key)?.variable ?? key
    throw Failure.usage(
      "no \(SettingKey.named(key)?.summary ?? key) is given",
      todo: "give --\(key), \(variable), or \"\(key)\" in projector.json")
  }

  /// Options of librdkafka by its own names.
  var kafka: [String: String] {
    var options: [String: String] = [:]
    for (key, entry) in entries where key.hasPrefix(SettingKey.kafkaPrefix) {
      options[String(key.dropFirst(SettingKey.kafkaPrefix.count))] = entry.value
    }
    return options
  }

  // Checked when they were set.
  func number(_ key: String) -> Int? { self[key].flatMap { Int($0) } }
  func duration(_ key: String) -> Duration? { self[key].flatMap { Duration(text: $0) } }
  func size(_ key: String) -> Int? { self[key].flatMap { ByteSize.parse($0) } }
  var logFormat: LogFormat { self["logFormat"].flatMap { LogFormat(rawValue: $0) } ?? .text }
  var logLevel: Logger.Level { self["logLevel"].flatMap { Self.level($0) } ?? .info }

  static func level(_ text: String) -> Logger.Level? { Logger.Level(rawValue: text) }
}
