/// All names that an environment knows.
final class Declarations: Sendable {
  let container: String
  let variables: [String: CELType]
  let constants: [String: Constant]
  let functions: [String: [Candidate]]
  let types: [String: ObjectType]
  let macros: [String: [Macro]]
  /// Whether a name has dots, so that selections may be names.
  let hasQualifiedNames: Bool

  init(container: String, variables: [String: CELType], libraries: [Library], types: [ObjectType])
    throws(EnvironmentError)
  {
    self.container = container
    self.variables = variables
    var constants: [String: Constant] = [:]
    var functions: [String: [Candidate]] = [:]
    var objects: [String: ObjectType] = [:]
    var macros: [String: [Macro]] = [:]
    var taken: Set<String> = []
    for name in variables.keys where !Self.isName(name) {
      throw EnvironmentError("a variable cannot be called '\(name)'")
    }
    for library in libraries where taken.insert(library.name).inserted {
      for constant in library.constants {
        guard constants.updateValue(constant, forKey: constant.name) == nil else {
          throw EnvironmentError("constant '\(constant.name)' is declared twice")
        }
      }
      for type in library.opaqueTypes {
        let constant = Constant(type.runtimeName, .type(type), .type(type))
        constants[constant.name] = constant
      }
      for type in library.types { objects[type.name] = type }
      for macro in library.macros { macros[macro.name, default: []].append(macro) }
      for function in library.functions {
        for overload in function.overloads {
          try Self.add(overload, function.name, &functions)
        }
      }
    }
    for type in types { objects[type.name] = type }
    for name in objects.keys where constants[name] == nil {
      constants[name] = Constant(name, .type(.object(name)), .type(.object(name)))
    }
    self.constants = constants
    self.functions = functions
    self.types = objects
    self.macros = macros
    hasQualifiedNames =
      !container.isEmpty
      || (Array(variables.keys) + Array(constants.keys)).contains { $0.contains(".") }
  }

  private static func add(
    _ overload: Overload, _ name: String, _ functions: inout [String: [Candidate]]
  ) throws(EnvironmentError) {
    let candidate = Candidate(name, overload)
    for other in functions[name] ?? []
    where other.overload.isMember == overload.isMember
      && other.overload.parameters == overload.parameters
    {
      throw EnvironmentError("function '\(candidate.signature)' is declared twice")
    }
    functions[name, default: []].append(candidate)
  }

  /// Names separated by dots, each of letters, digits and underscores.
  private static func isName(_ name: String) -> Bool {
    let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return parts.allSatisfy { part in
      guard let first = part.first, first.isLetter || first == UInt8(ascii: "@") else {
        return false
      }
      return part.dropFirst().allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: ":") }
    }
  }

  /// The names that `name` may mean, from the innermost scope of the container outwards.
  func candidates(_ name: String) -> [String] {
    if name.hasPrefix(".") { return [String(name.dropFirst())] }
    guard !container.isEmpty else { return [name] }
    var names: [String] = []
    var scope = Substring(container)
    while true {
      names.append("\(scope).\(name)")
      guard let dot = scope.lastIndex(of: ".") else { break }
      scope = scope[..<dot]
    }
    return names + [name]
  }
}

/// Why an environment cannot be: two declarations contradict each other, or a name is none.
public struct EnvironmentError: Error, Sendable, CustomStringConvertible {
  public let message: String
  init(_ message: String) { self.message = message }
  public var description: String { message }
}
