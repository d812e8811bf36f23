import Glibc

/// A run that failed or whose views are wrong: it prints no figure.
struct BenchmarkError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

enum Diagnostics {
  static func tell(_ message: String) {
    let line = Array("\(message)\n".utf8)
    _ = write(2, line, line.count)
  }
}
