import Foundation

/// The environment that the tests were started in.
enum ProcessEnvironment {
  static func value(of name: String) -> String? { ProcessInfo.processInfo.environment[name] }
}
