/// What is wrong with an expression: everything that was found, in the order of the text, up to 100
/// mistakes.
public struct CompileError: Error, Sendable, CustomStringConvertible {
  /// One mistake and where it is.
  public struct Issue: Sendable, Hashable {
    public let message: String
    /// A UTF-8 offset into the source.
    public let offset: Int
    public let location: Source.Location
  }

  public let source: Source
  public let issues: [Issue]

  init(source: Source, _ mistakes: [Mistake]) {
    self.source = source
    var seen: Set<Mistake> = []
    issues = mistakes.filter { seen.insert($0).inserted }.sorted { $0.offset < $1.offset }.map {
      Issue(
        message: $0.message, offset: $0.offset, location: source.location(at: $0.offset))
    }
  }

  /// For each issue its place, its message, the line and a caret.
  ///
  ///     1:13: undeclared reference to 'custmerId'; did you mean 'customerId'?
  ///       total > 1 && custmerId == 'a'
  ///                    ^
  public var description: String {
    let prefix = source.name.isEmpty ? "" : source.name + ":"
    return issues.map { issue in
      "\(prefix)\(issue.location): \(issue.message)\n\(source.excerpt(at: issue.offset))"
    }.joined(separator: "\n")
  }
}

/// A message and where it belongs, before lines are counted.
struct Mistake: Error, Hashable {
  let offset: Int
  let message: String
  init(_ offset: Int, _ message: String) {
    self.offset = offset
    self.message = message
  }
}
