import CEL
import Foundation

/// The cases of a checkout of github.com/google/cel-spec that the environment variable CEL_SPEC_DIR names.
enum ConformanceSuite {
  static let directory = ProcessInfo.processInfo.environment["CEL_SPEC_DIR"] ?? ""

  /// The files of cases, without their extension, sorted.
  static let files: [String] = {
    guard !directory.isEmpty else { return [] }
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path).filter {
        $0.hasSuffix(".textproto")
      }.map { String($0.dropLast(".textproto".count)) }.sorted()
    } catch {
      return []
    }
  }()

  private static var path: String { directory + "/tests/simple/testdata" }

  /// A file's cases, and how many are left out for which reason.
  static func read(_ file: String) throws -> (
    cases: [ConformanceCase], left: [ConformanceNeed: Int]
  ) {
    let text = try String(contentsOfFile: "\(path)/\(file).textproto", encoding: .utf8)
    var cases: [ConformanceCase] = []
    var left: [ConformanceNeed: Int] = [:]
    for section in try TextProtoReader.read(text).messages("section") {
      for test in section.messages("test") {
        do {
          cases.append(
            try ConformanceCase(test, file: file, section: section.string("name") ?? "?"))
        } catch let need as ConformanceNeed {
          left[need, default: 0] += 1
        }
      }
    }
    return (cases, left)
  }

  /// What is wrong with a case's outcome, `nil` where nothing is.
  static func complaint(about test: ConformanceCase) -> String? {
    let result: Value
    do {
      let environment = try Environment(
        container: test.container, variables: test.variables,
        libraries: LanguageHost.libraries + [BlockMacros.library]
          + [Library("declared", functions: test.functions)])
      let program =
        test.isChecked
        ? try environment.compile(test.expression)
        : try environment.compileUnchecked(test.expression)
      if case .typed(let type, let value) = test.expectation {
        guard program.resultType == type else {
          return "the type is \(program.resultType), expected \(type)"
        }
        guard value != nil else { return nil }
      }
      result = program.result(test.bindings)
    } catch let error as CompileError {
      if case .error = test.expectation { return nil }
      return "\(error)"
    } catch {
      return "\(error)"
    }
    switch test.expectation {
    case .value(let expected), .typed(_, let expected?):
      return ConformanceMatch.matches(result, expected)
        ? nil : "the result is \(result), expected \(expected)"
    case .typed: return nil
    case .error: return result.isError ? nil : "the result is \(result), expected an error"
    }
  }
}
