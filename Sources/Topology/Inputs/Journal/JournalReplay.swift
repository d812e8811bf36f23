import StateStore

/// Where a replay reads a journal from, page by page: the state's own, another generation's, or a
/// published one.
package protocol JournalSource: AnyObject {
  /// The next entries in order; empty at the end.
  ///
  /// - Throws: ``StateStore/StoreError`` or ``StreamCore/LogError``.
  func nextPage() throws -> [[UInt8]]
}

/// A journal that is followed unit by unit: what a unit is, how it ended, and which inputs wait.
///
/// It reads as far ahead as an entry may say something of an earlier unit, and no further. Every
/// entry is followed: one that is not, or that belongs to a unit that has passed, stops the replay.
package final class JournalReplay {
  /// From `since` on nothing of an input is taken before its departure.
  private struct Bar {
    let since: Int64
    /// The unit of the departure; `nil` where it lies further ahead.
    let until: Int64?
  }

  /// Entries that were taken off the front stay until the next commit: an abort goes back to it.
  private struct Queue<Element> {
    private(set) var elements: [Element] = []
    private var head = 0
    private var committed = 0

    var first: Element? { head < elements.count ? elements[head] : nil }
    var rest: ArraySlice<Element> { elements[head...] }
    mutating func append(_ element: Element) { elements.append(element) }
    mutating func removeFirst(_ count: Int = 1) { head += count }
    mutating func restore() { head = committed }

    mutating func commit() {
      if head > 256, head * 2 > elements.count {
        elements.removeFirst(head)
        head = 0
      }
      committed = head
    }
  }

  /// Units that the followed state has: at this number the replay ends.
  package let limit: Int64
  private let source: any JournalSource
  private let span: Int64
  private let inputs: [InputID: Int]
  private let names: [String]
  private var entries = Queue<JournalEntry>()
  private var bars: [Queue<Bar>]
  private var isExhausted = false
  /// The unit of the last entry read.
  private var read: Int64 = -1
  /// The current unit's entries, once it was asked about, and what is still to be followed of them.
  private var current: (unit: Int64, entries: Int, open: [JournalEntry.Content]) = (-1, 0, [])

  /// - Parameters:
  ///   - limit: how many units the followed state has.
  ///   - unit: the first unit to follow; what the source has of earlier ones was followed.
  ///   - inputs: names of the task's inputs in their order.
  /// - Throws: ``TaskError`` with `.diverged`, and what the source throws.
  package init(
    _ source: any JournalSource, from unit: Int64, to limit: Int64, inputs names: [String],
    span: Int64? = nil
  ) throws {
    self.source = source
    self.limit = limit
    self.names = names
    self.span = span ?? DepartureWatch.span
    inputs = Dictionary(
      names.enumerated().map { (InputID(name: $1), $0) }, uniquingKeysWith: { first, _ in first })
    bars = names.map { _ in Queue() }
    try load(through: unit + self.span, from: unit)
    commit()
  }

  private func load(through unit: Int64, from first: Int64 = 0) throws {
    while !isExhausted, read <= unit {
      let page = try source.nextPage()
      isExhausted = page.isEmpty
      for bytes in page { try take(JournalEntry(bytes), from: first) }
    }
  }

  private func take(_ entry: JournalEntry, from first: Int64) throws {
    guard entry.unit >= read, entry.unit < limit else {
      throw diverged(
        at: entry.unit,
        entry.unit < read
          ? "its entries are out of order" : "it has an entry of a unit beyond the state's last")
    }
    read = entry.unit
    let isPast = entry.unit < first
    switch entry.content {
    case .departure(let id, _, let since):
      let input = try input(of: id, at: entry.unit)
      // A past departure ends what kept the input back.
      if isPast {
        bars[input] = Queue()
      } else {
        bars[input].append(Bar(since: since, until: entry.unit))
      }
    case .absent(let id, let since):
      bars[try input(of: id, at: entry.unit)].append(Bar(since: since, until: nil))
    default: break
    }
    if !isPast { entries.append(entry) }
  }

  private func input(of id: InputID, at unit: Int64) throws -> Int {
    guard let input = inputs[id] else {
      throw diverged(at: unit, "it names an input that the topology does not have")
    }
    return input
  }

  // MARK: A unit

  /// What is still to be followed in a unit; most have nothing.
  ///
  /// - Throws: ``TaskError`` with `.diverged`, and what the source throws.
  package func contents(at unit: Int64) throws -> [JournalEntry.Content] {
    if current.unit == unit { return current.open }
    try load(through: unit + span)
    var open: [JournalEntry.Content] = []
    if let first = entries.first, first.unit <= unit {
      guard first.unit == unit else {
        throw diverged(at: first.unit, "it has an entry of a unit that was passed")
      }
      open = entries.rest.prefix { $0.unit == unit }.map(\.content)
    }
    current = (unit, open.count, open)
    return open
  }

  /// The unit is, or ended as, what an entry says.
  ///
  /// - Throws: ``TaskError`` with `.diverged` where no entry of the unit says so.
  package func follow(_ content: JournalEntry.Content, at unit: Int64) throws {
    guard let index = try contents(at: unit).firstIndex(of: content) else {
      throw diverged(at: unit, "it does not say that \(content)")
    }
    current.open.remove(at: index)
  }

  /// Whether an input is left out of the merge rule: its next unit went later.
  func isBarred(_ input: Int, at unit: Int64) throws -> Bool {
    try load(through: unit + span)
    guard let bar = bars[input].first else { return false }
    return bar.since <= unit && bar.until.map { unit < $0 } ?? true
  }

  /// Ends a unit: whatever the journal says of it was followed.
  ///
  /// - Returns: inputs that are absent from now on, which no unit follows by itself.
  /// - Throws: ``TaskError`` with `.diverged`.
  func endUnit(_ unit: Int64) throws -> [JournalEntry.Content] {
    let rest = try contents(at: unit)
    for content in rest {
      guard case .absent = content else {
        throw diverged(at: unit, "the unit did not do what it says: \(content)")
      }
    }
    for entry in entries.rest.prefix(current.entries) {
      if case .departure(let id, _, _) = entry.content { removeBar(of: id, until: unit) }
    }
    entries.removeFirst(current.entries)
    current = (-1, 0, [])
    return rest
  }

  private func removeBar(of id: InputID, until unit: Int64) {
    guard let input = inputs[id] else { return }
    while let bar = bars[input].first {
      bars[input].removeFirst()
      if bar.until == unit { return }
    }
  }

  /// Ends the replay.
  ///
  /// - Throws: ``TaskError`` with `.diverged` where something is left to do.
  func finish(at unit: Int64) throws {
    guard unit == limit else {
      throw diverged(
        at: unit, "its state has \(limit) units, and nothing is left to make another one of")
    }
    try load(through: .max - span - 1)
    if let entry = entries.first { throw diverged(at: entry.unit, "an entry of it is left") }
  }

  /// The unit is begun anew.
  func dropUnit() { current = (-1, 0, []) }

  /// What was followed so far is committed.
  func commit() {
    entries.commit()
    for input in bars.indices { bars[input].commit() }
  }

  /// Goes back to the last commit.
  func restore() {
    entries.restore()
    for input in bars.indices { bars[input].restore() }
    current = (-1, 0, [])
  }

  /// The log is not the one the journal was written beside.
  func diverged(
    at unit: Int64, _ what: String, input: (any InputPort)? = nil
  ) -> TaskError {
    var place = "unit \(unit)"
    if let input {
      if case .head = input.standing {
        place += ", \(input.name)@\(input.headPosition)"
      } else {
        place += ", \(input.name)"
      }
    }
    return TaskError(
      .diverged, nil, nil,
      "the replay cannot follow its journal: \(what) (\(place)); check that --log is the log that "
        + "the state was built from, or rebuild without the journal by `rewind --to earliest "
        + "--from-empty`")
  }
}

extension InputID {
  /// - Parameter name: the input's, unique in its task.
  package init(name: String) { self.init(hash: hash64(Array(name.utf8).span.bytes)) }
}

/// A journal that is there as a whole.
package final class ListedJournal: JournalSource {
  private var page: [[UInt8]]

  package init(_ entries: [[UInt8]]) { page = entries }

  package func nextPage() -> [[UInt8]] {
    defer { page = [] }
    return page
  }
}
