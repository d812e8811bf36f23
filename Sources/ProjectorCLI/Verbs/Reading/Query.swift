import ArgumentParser
import Logging
import StateStore
import StreamCore
import Topology

struct Query: Verb {
  enum Operation: String, ExpressibleByArgument, CaseIterable { case get, scan, index }

  static let configuration = CommandConfiguration(
    abstract: "Reads a view: a row by its key, rows in key order, or rows by an index.",
    discussion: """
      query TOPOLOGY VIEW get KEY
      query TOPOLOGY VIEW scan [--prefix P] [--from K] [--to K]
      query TOPOLOGY VIEW index NAME [VALUE...] [--from V] [--to V]

      Composite keys are JSON arrays. The order of an index is its own; --reverse turns it. A \
      page is a snapshot of one commit; without --limit, a scan reads page after page.

      --cursor costs what its page costs. --page N first passes the keys of the N pages before: \
      about a microsecond a row, so leave it to the first thousands. Totals are kept, of a view and \
      of an index's first value; within other bounds all keys are counted.
      """)

  @Argument(help: "A topology with state here.") var topology: String
  @Argument(help: "A view; `views` lists them.") var view: String
  @Argument(help: "get, scan or index.") var operation: Operation
  @Argument(help: "The key, or the index and its first values.") var values: [String] = []
  @Option(help: "Keys that begin so.") var prefix: String?
  @Option(help: "First key, inclusive; of an index, the least value behind those given.")
  var from: String?
  @Option(help: "Last key, exclusive; of an index, where the values end.") var to: String?
  @Flag(help: "The other way round.") var reverse = false
  @Option(help: "At most so many rows.") var limit: Int?
  @Option(help: "Go on behind the page that ended with this cursor.") var cursor: String?
  @Option(help: "Page to print, from 0 on, with all counts.") var page: Int?
  @Option(help: "Rows of a page.") var size: Int?
  @Flag(help: "Only how many rows there are.") var count = false
  @Option(help: "table, json or ndjson.") var format = OutputFormat.ndjson
  @Option(
    help: ArgumentHelp(
      "First wait until this event or TOPIC-PARTITION@OFFSET is in the state.",
      valueName: "event"))
  var waitFor: String?
  @Option(help: ArgumentHelp("How long to wait.", valueName: "duration")) var timeout: String?
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("state", state.directory)] }

  func run(in session: Session) throws {
    try checkOptions()
    var after: MergedScan.Cursor?
    if let cursor {
      after = MergedScan.Cursor(cursor)
      if after == nil { throw Failure.usage("'\(cursor)' is no cursor", todo: "take one printed") }
    }
    let state = try openState(session)
    let view = try state.view(self.view, near: operation == .get ? values[0] : nil)
    let query = ViewQuery(view: view, output: session.output, format: format)
    switch operation {
    case .get: try query.get(values[0])
    case .scan:
      let range = try query.range(prefix: prefix, from: from, to: to)
      if range == nil, prefix != nil {
        throw Failure.usage(
          "no key with this prefix lies within these bounds", todo: "correct --prefix or the bounds"
        )
      }
      if count { return try query.printCount(query.count(of: range)) }
      let scan = query.scan(range, reverse: reverse, pageRows: pageRows, after: after)
      try answer(query, scan) { try query.count(of: range) }
    case .index:
      let index = try query.index(values[0], Array(values.dropFirst()), from: from, to: to)
      if count { return try query.printCount(query.count(of: index)) }
      let scan = query.scan(index, reverse: reverse, pageRows: pageRows, after: after)
      try answer(query, scan) { try query.count(of: index) }
    }
  }

  private var pageRows: Int {
    // One row more than the limit says whether there are more.
    min(1_000, page == nil ? min(limit ?? 999, 999) + 1 : size ?? 20)
  }

  private func answer(_ query: ViewQuery, _ scan: MergedScan, total: () throws -> Int) throws {
    guard let page else { return try query.print(scan, limit: limit) }
    try query.printPage(scan, number: page, size: size ?? 20, total: try total())
  }

  private func openState(_ session: Session) throws -> TopologyState {
    guard let waitFor else { return try TopologyState(session.stateDirectory(of: topology)) }
    let duration = try timeout.map { text throws in
      guard let duration = Duration(text: text) else {
        throw Failure.usage("'\(text)' is no duration", todo: "write --timeout as 5s")
      }
      return duration
    }
    let wait = StateWait(
      directory: StateDirectory(root: try session.settings.require("state"), topology: topology),
      topology: try session.registered(topology), timeout: duration ?? .seconds(5))
    return try wait.until(waitFor)
  }

  private func checkOptions() throws {
    func refuse(_ wrong: Bool, _ what: String, _ todo: String) throws {
      if wrong { throw Failure.usage(what, todo: todo) }
    }
    try refuse(
      operation == .get && values.count != 1, "`get` takes one key",
      "write query TOPOLOGY VIEW get KEY")
    try refuse(
      operation == .scan && !values.isEmpty, "`scan` takes no values",
      "give bounds by --prefix, --from and --to")
    try refuse(
      operation == .index && values.isEmpty, "`index` needs the index's name",
      "write query TOPOLOGY VIEW index NAME [VALUE...]")
    try refuse(
      operation == .get && (from ?? to) != nil, "bounds are for `scan` and `index`",
      "leave out --from and --to")
    try refuse(
      operation != .scan && prefix != nil, "a prefix is for `scan`", "leave out --prefix")
    try refuse(
      operation == .get && (reverse || count || limit != nil || cursor != nil || page != nil),
      "`get` finds one row", "leave out --reverse, --count, --limit, --cursor and --page")
    try refuse((limit ?? 1) < 1, "a limit is at least 1", "correct --limit")
    try refuse(
      (page ?? 0) < 0 || (size ?? 1) < 1, "there is no such page", "correct --page, --size")
    try refuse(size != nil && page == nil, "--size belongs to a page", "give --page too")
    try refuse(
      page != nil && (limit != nil || cursor != nil),
      "a page has no limit and no cursor", "use --page and --size, or --limit and --cursor")
    try refuse(timeout != nil && waitFor == nil, "there is nothing to wait for", "give --wait-for")
  }
}

extension OutputFormat: ExpressibleByArgument {}
