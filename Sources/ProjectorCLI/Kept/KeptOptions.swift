import ArgumentParser
import Topology

/// What `dead-letters` and `held` have in common.
struct KeptOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Only those with this reason.", valueName: "reason"))
  var reason: String?
  @Option(help: "At most so many.") var limit: Int?
  @Option(
    help: ArgumentHelp("Go on behind this one, the last of the page before.", valueName: "id"))
  var cursor: String?
  @Option(help: "table or json.") var format = TableFormat.table

  /// - Throws: ``Failure`` for options that are not for this operation, or of no meaning.
  func check(_ list: KeptList, isListing: Bool, ids: [String]) throws {
    if let reason, !list.reasons.contains(reason) {
      throw Failure.usage(
        "there is no reason '\(reason)'",
        todo: "it is one of \(list.reasons.joined(separator: ", "))")
    }
    if let limit, limit < 1 {
      throw Failure.usage("a limit is at least 1", todo: "correct --limit")
    }
    if !isListing, limit != nil || cursor != nil {
      throw Failure.usage("pages are for `list` and `show`", todo: "leave out --limit and --cursor")
    }
    if !ids.isEmpty, reason != nil || limit != nil || cursor != nil {
      throw Failure.usage(
        "ids already say which", todo: "leave out --reason, --limit and --cursor, or the ids")
    }
    _ = try parsedCursor()
  }

  func parsedCursor() throws -> DeadLetterID? { try cursor.map { try Self.id($0) } }

  /// - Throws: ``Failure`` for a text that is no id.
  static func ids(_ texts: [String]) throws -> [DeadLetterID] {
    var seen: Set<DeadLetterID> = []
    return try texts.map { try id($0) }.filter { seen.insert($0).inserted }
  }

  private static func id(_ text: String) throws -> DeadLetterID {
    if let id = DeadLetterID(parsing: text) { return id }
    throw Failure.usage(
      "'\(text)' is no id", todo: "take one that `list` prints, as order-events-2-15")
  }
}
