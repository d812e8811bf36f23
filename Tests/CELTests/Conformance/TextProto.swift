/// A message in protocol buffers' text format: fields in the order written, without a schema.
struct TextProto {
  /// What a field holds.
  enum Value {
    /// A number, an enum's name, `true`, `inf`: as written, with its sign.
    case word(String)
    /// A quoted text, adjacent parts joined and escapes read.
    case text([UInt8])
    case message(TextProto)
  }

  /// A field and the line it begins in.
  struct Field {
    let name: String
    let value: Value
    let line: Int
  }

  var fields: [Field] = []

  func values(_ name: String) -> [Value] { fields.filter { $0.name == name }.map(\.value) }

  func messages(_ name: String) -> [TextProto] {
    values(name).compactMap { if case .message(let message) = $0 { message } else { nil } }
  }

  func message(_ name: String) -> TextProto? { messages(name).last }

  func has(_ name: String) -> Bool { fields.contains { $0.name == name } }

  func bytes(_ name: String) -> [UInt8]? {
    guard case .text(let bytes)? = values(name).last else { return nil }
    return bytes
  }

  func string(_ name: String) -> String? {
    bytes(name).map { String(decoding: $0, as: UTF8.self) }
  }

  func word(_ name: String) -> String? {
    guard case .word(let word)? = values(name).last else { return nil }
    return word
  }

  func flag(_ name: String) -> Bool { word(name) == "true" }
}
