import JSONSerdes
import StreamCore

/// Reads `projector.json`: an object of settings, those of Kafka in one of their own, if you like.
///
///     { "log": "kafka://broker:9092", "state": "data/state", "kafka": { "security.protocol": "ssl" } }
enum SettingsFile {
  /// Key and value in order of the file.
  ///
  /// - Throws: ``Failure`` naming the path and what is wrong.
  static func parse(_ bytes: [UInt8], path: String) throws -> [(key: String, value: String)] {
    do {
      return try JSONParser().withDocument(bytes.span.bytes) { root in
        try root.members().flatMap { member -> [(key: String, value: String)] in
          let name = member.name.string
          guard member.value.kind == .object else { return [(name, try text(member.value))] }
          guard name == "kafka" else { throw member.value.error("a setting is text or a number") }
          return try member.value.members().map {
            ("\(SettingKey.kafkaPrefix)\($0.name.string)", try text($0.value))
          }
        }
      }
    } catch let error as SerdeError {
      throw Failure(
        .invalid, "the settings are no JSON object of settings: \(error)", at: path,
        todo: "correct the file")
    }
  }

  private static func text(_ value: JSONView) throws -> String {
    switch value.kind {
    case .string: return try value.string()
    case .number, .bool: return String(decoding: value.json, as: UTF8.self)
    default: throw value.error("a setting is text or a number")
    }
  }
}
