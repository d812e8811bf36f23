import CEL
import CELRE2
import CELTimeZones
import Testing

/// A row of a table: an expression and what it comes to, written as ``Value`` prints it.
struct LanguageCase: CustomTestStringConvertible {
  let expression: String
  let result: String

  var testDescription: String { expression }

  static func table(_ rows: [(String, String)]) -> [LanguageCase] {
    rows.map { LanguageCase(expression: $0, result: $1) }
  }
}

/// One environment with every library, and a few variables.
enum LanguageHost {
  static let libraries: [Library] = [
    .standard(timeZones: SystemTimeZones.shared), .re2, .strings, .math, .encoders, .sets, .lists,
    .bindings,
    .twoVariableMacros, .network,
  ]

  static let variables: [String: CELType] = [
    "x": .int, "y": .int, "d": .dyn, "items": .list(.string), "event": .map(.string, .dyn),
    "com.example.limit": .int, "limit": .int,
  ]

  static let bindings: [String: Value] = [
    "x": 7, "y": -2, "d": [1, 2.5, "a"], "items": ["a", "b"],
    "event": ["type": "A", "amount": 100.5, "count": 3, "none": .null, "tags": ["t", "u"]],
    "com.example.limit": 10, "limit": 20,
  ]

  /// The value's text, or that of the errors.
  static func result(
    of expression: String, libraries: [Library] = libraries,
    variables: [String: CELType] = variables, bindings: [String: Value] = bindings
  ) -> String {
    do {
      let environment = try Environment(variables: variables, libraries: libraries)
      let program = try environment.compile(expression)
      return try program.evaluate(bindings).description
    } catch let error as EvaluationError {
      return "error: \(error.message)"
    } catch let error as CompileError {
      return error.issues.map { "\($0.location): \($0.message)" }.joined(separator: "; ")
    } catch {
      return "\(error)"
    }
  }
}
