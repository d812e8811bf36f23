import Logging
import Topology

enum LogFormat: String {
  case text, json
}

/// Messages on standard error: a line of text, or of JSON.
struct StandardErrorLogHandler: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel: Logger.Level
  private let format: LogFormat

  init(format: LogFormat, logLevel: Logger.Level) {
    self.format = format
    self.logLevel = logLevel
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let fields = metadata.merging(event.metadata ?? [:]) { _, new in new }
      .sorted { $0.key < $1.key }
    switch format {
    case .text:
      let suffix = fields.map { " \($0.key)=\($0.value)" }.joined()
      StandardError.write(LineText.escaped("\(event.level): \(event.message)\(suffix)") + "\n")
    case .json:
      var json = JSONText.Object()
      json.add("time", SystemWallClock().now().description)
      json.add("level", "\(event.level)")
      json.add("message", "\(event.message)")
      for (key, value) in fields { json.add(key, "\(value)") }
      StandardError.write(json.text + "\n")
    }
  }
}
