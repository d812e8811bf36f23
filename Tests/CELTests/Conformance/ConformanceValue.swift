import CEL
import StreamCore

extension Value {
  /// Reads a `cel.expr.Value`.
  init(conformance message: TextProto) throws {
    guard let field = message.fields.first else { throw ConformanceFailure("a value is empty") }
    switch (field.name, field.value) {
    case ("null_value", _): self = .null
    case ("bool_value", .word(let word)): self = .bool(word == "true")
    case ("int64_value", .word(let word)): self = .int(try Self.number(word, Int64.init))
    case ("uint64_value", .word(let word)): self = .uint(try Self.number(word, UInt64.init))
    case ("double_value", .word(let word)): self = .double(try Self.double(word))
    case ("string_value", .text(let bytes)): self = .string(String(decoding: bytes, as: UTF8.self))
    case ("bytes_value", .text(let bytes)): self = .bytes(bytes)
    case ("type_value", .text(let bytes)):
      self = .type(try CELType(runtimeName: String(decoding: bytes, as: UTF8.self)))
    case ("list_value", .message(let list)):
      self = .list(try list.messages("values").map(Value.init(conformance:)))
    case ("map_value", .message(let map)):
      var builder = MapBuilder()
      for entry in map.messages("entries") {
        guard let key = entry.message("key"), let value = entry.message("value") else {
          throw ConformanceFailure("an entry lacks key or value")
        }
        if let error = builder.insert(
          try Value(conformance: value), forKey: try Value(conformance: key))
        {
          throw error
        }
      }
      self = .map(builder.finish())
    case ("object_value", .message(let object)): self = try Self.wellKnown(object)
    case ("enum_value", _): throw ConformanceNeed.enumeration
    default: throw ConformanceFailure("a value's field \(field.name)")
    }
  }

  private static func number<T>(_ word: String, _ read: (String) -> T?) throws -> T {
    guard let number = read(word) else { throw ConformanceFailure("'\(word)' is no number") }
    return number
  }

  private static func double(_ word: String) throws -> Double {
    switch word.lowercased() {
    case "inf", "infinity": .infinity
    case "-inf", "-infinity": -.infinity
    case "nan": .nan
    default: try number(word) { Double($0) }
    }
  }

  /// A time inside an `Any`: of all messages, CEL itself has these.
  private static func wellKnown(_ object: TextProto) throws -> Value {
    guard let field = object.fields.first, case .message(let message) = field.value else {
      throw ConformanceNeed.message
    }
    let seconds = try number(message.word("seconds") ?? "0", Int64.init)
    let nanoseconds = try number(message.word("nanos") ?? "0", Int64.init)
    switch field.name {
    case "[type.googleapis.com/google.protobuf.Duration]":
      return .duration(.seconds(seconds) + .nanoseconds(nanoseconds))
    case "[type.googleapis.com/google.protobuf.Timestamp]":
      return .timestamp(Instant(seconds: seconds, nanoseconds: Int32(nanoseconds)))
    default: throw ConformanceNeed.message
    }
  }
}

extension CELType {
  private static let named: [String: CELType] = [
    "int": .int, "uint": .uint, "double": .double, "bool": .bool, "string": .string,
    "bytes": .bytes, "list": .list(.dyn), "map": .map(.dyn, .dyn), "null_type": .null,
    "type": .type(.dyn), "google.protobuf.Timestamp": .timestamp,
    "google.protobuf.Duration": .duration, "optional_type": .optional(.dyn),
  ]

  init(runtimeName name: String) throws {
    guard let type = Self.named[name] else { throw ConformanceNeed.message }
    self = type
  }

  /// Reads a `cel.expr.Type`.
  init(conformance message: TextProto) throws {
    guard let field = message.fields.first else {
      self = .dyn
      return
    }
    switch (field.name, field.value) {
    case ("dyn", _): self = .dyn
    case ("null", _): self = .null
    case ("primitive", .word(let word)), ("well_known", .word(let word)):
      let types: [String: CELType] = [
        "BOOL": .bool, "INT64": .int, "UINT64": .uint, "DOUBLE": .double, "STRING": .string,
        "BYTES": .bytes, "TIMESTAMP": .timestamp, "DURATION": .duration,
      ]
      guard let type = types[word] else { throw ConformanceNeed.message }
      self = type
    case ("list_type", .message(let list)):
      self = .list(try CELType(conformance: list.message("elem_type") ?? TextProto()))
    case ("map_type", .message(let map)):
      self = .map(
        try CELType(conformance: map.message("key_type") ?? TextProto()),
        try CELType(conformance: map.message("value_type") ?? TextProto()))
    case ("abstract_type", .message(let abstract)):
      self = .opaque(
        abstract.string("name") ?? "",
        try abstract.messages("parameter_types").map(CELType.init(conformance:)))
    case ("type_param", .text(let bytes)): self = .parameter(String(decoding: bytes, as: UTF8.self))
    case ("type", .message(let type)): self = .type(try CELType(conformance: type))
    case ("message_type", .text(let bytes)):
      self = try CELType(runtimeName: String(decoding: bytes, as: UTF8.self))
    case ("wrapper", _): throw ConformanceNeed.wrapper
    default: throw ConformanceFailure("a type's field \(field.name)")
    }
  }
}

extension Overload {
  /// Reads an overload that is only declared; calling it is an error.
  init(conformance overload: TextProto) throws {
    self.init(
      isMember: overload.flag("is_instance_function"),
      parameters: try overload.messages("params").map(CELType.init(conformance:)),
      result: try CELType(conformance: overload.message("result_type") ?? TextProto()),
      implementation: .variadic { _ in .error(.host, "the function is only declared") })
  }
}
