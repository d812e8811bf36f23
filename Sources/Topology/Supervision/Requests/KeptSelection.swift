import StreamCore

/// Which kept records a request is about.
struct KeptSelection: Sendable {
  /// `nil` for all, or for those with the reason.
  var ids: [DeadLetterID]?
  var reason: String?

  init(ids: [DeadLetterID]? = nil, reason: String? = nil) {
    self.ids = ids
    self.reason = reason
  }

  /// - Throws: ``StreamCore/LogError`` with `.invalid`, in words for who asked.
  init(_ request: Request, of verb: KeptVerb) throws(LogError) {
    reason = request.arguments["reason"]
    if let text = request.arguments["ids"] {
      let parts = text.split(separator: ",").map { DeadLetterID(parsing: String($0)) }
      let parsed = parts.compactMap(\.self)
      guard parsed.count == parts.count else {
        throw LogError(.invalid, "'\(text)' is no list of ids; take them from `list`")
      }
      ids = parsed
    }
    guard ids != nil || reason != nil || verb.concernsAll else {
      throw LogError(.invalid, "`\(verb.name)` wants ids or a reason")
    }
  }

  /// One that is none of these tasks', if there is.
  func foreign(to tasks: [StreamTask]) -> DeadLetterID? {
    let here = Set(tasks.map(\.name))
    return ids?.first { !here.contains($0.task) }
  }
}
