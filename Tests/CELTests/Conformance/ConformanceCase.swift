import CEL

/// A case of cel-spec's tests/simple, as far as it needs no protocol buffers.
struct ConformanceCase {
  /// What the case wants.
  enum Expectation {
    case value(Value)
    /// A result type, and a value unless the case is only checked.
    case typed(CELType, Value?)
    case error
  }

  let file: String
  let name: String
  let expression: String
  let container: String
  let isChecked: Bool
  let variables: [String: CELType]
  let functions: [Function]
  let bindings: [String: Value]
  let expectation: Expectation
}

/// Why a case is left out: what it needs that this library does not have.
enum ConformanceNeed: String, Error, CaseIterable {
  case message = "protocol buffer messages"
  case enumeration = "protocol buffer enums"
  case wrapper = "protocol buffer wrapper types"
}

/// A case that this reader does not understand.
struct ConformanceFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

extension ConformanceCase {
  /// - Throws: ``ConformanceNeed`` for a case to be left out, ``ConformanceFailure``.
  init(_ test: TextProto, file: String, section: String) throws {
    self.file = file
    name = "\(file)/\(section)/\(test.string("name") ?? "?")"
    expression = test.string("expr") ?? ""
    container = test.string("container") ?? ""
    isChecked = !test.flag("disable_check")
    if let need = Self.need(expression, container: container) { throw need }
    guard !test.flag("disable_macros") else { throw ConformanceFailure("macros are disabled") }

    var variables: [String: CELType] = [:]
    var functions: [Function] = []
    for declaration in test.messages("type_env") {
      let name = declaration.string("name") ?? ""
      if let variable = declaration.message("ident") {
        variables[name] = try CELType(conformance: variable.message("type") ?? TextProto())
      } else if let function = declaration.message("function") {
        functions.append(
          Function(name, try function.messages("overloads").map(Overload.init(conformance:))))
      }
    }
    var bindings: [String: Value] = [:]
    for binding in test.messages("bindings") {
      guard let value = binding.message("value")?.message("value") else {
        throw ConformanceFailure("a binding has no value")
      }
      bindings[binding.string("key") ?? ""] = try Value(conformance: value)
    }
    self.variables = variables
    self.functions = functions
    self.bindings = bindings
    if let value = test.message("value") {
      expectation = .value(try Value(conformance: value))
    } else if let typed = test.message("typed_result"), let type = typed.message("deduced_type") {
      expectation = .typed(
        try CELType(conformance: type), try typed.message("result").map(Value.init(conformance:)))
    } else if test.has("eval_error") || test.has("any_eval_errors") {
      expectation = .error
    } else {
      // simple.proto: "if unset, the result is expected to be true".
      expectation = .value(true)
    }
  }

  /// What an expression needs by the names that it uses.
  private static func need(_ expression: String, container: String) -> ConformanceNeed? {
    let ofEnums = ["NestedEnum", "GlobalEnum", "NullValue.", "ImportedGlobalEnum"]
    if ofEnums.contains(where: expression.contains) { return .enumeration }
    let ofMessages = [
      "TestAllTypes", "NestedMessage", "proto.getExt", "proto.hasExt", "google.protobuf.Any",
      "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue",
      "google.protobuf.Empty", "google.protobuf.FieldMask", "TestRequired",
    ]
    if ofMessages.contains(where: expression.contains) { return .message }
    let wrappers = [
      "Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String", "UInt32", "UInt64",
    ]
    if wrappers.contains(where: { expression.contains("google.protobuf.\($0)Value") }) {
      return .wrapper
    }
    guard container == "google.protobuf" else { return nil }
    if wrappers.contains(where: { expression.contains("\($0)Value{") }) { return .wrapper }
    return ["Value{", "Any{", "Struct{"].contains(where: expression.contains) ? .message : nil
  }
}
