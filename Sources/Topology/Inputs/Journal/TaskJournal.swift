/// What a task decided besides taking records by the merge rule, by the numbers of the units that
/// it belongs to, and the count of units itself.
///
/// What is noted of a unit is written at its end, with its effects: taking back a try of the unit
/// takes back none of it. A replay of the same lineage follows another journal and writes what it
/// follows, so that the state it makes has the journal it was made by.
package final class TaskJournal {
  private let append: ([UInt8]) -> Void
  /// The number of the next unit, or of the one under way: how many ended since the state was
  /// begun.
  package private(set) var unit: Int64 = 0
  private var noted: [JournalEntry.Content] = []
  /// What is followed; `nil` for a task that decides.
  package private(set) var replay: JournalReplay?

  /// - Parameters:
  ///   - unit: as of the last commit.
  ///   - append: writes an entry with the unit's effects.
  package init(at unit: Int64, replay: JournalReplay?, append: @escaping ([UInt8]) -> Void) {
    self.unit = unit
    self.replay = replay
    self.append = append
  }

  /// Says something of the unit under way.
  package func note(_ content: JournalEntry.Content) { noted.append(content) }

  /// Follows what the journal says of the unit under way, and says it again.
  ///
  /// - Throws: ``TaskError`` with `.diverged`.
  package func follow(_ content: JournalEntry.Content) throws {
    try replay?.follow(content, at: unit)
    note(content)
  }

  /// What a replay is still to follow in the unit under way.
  ///
  /// - Throws: ``TaskError`` with `.diverged`.
  package func replayed() throws -> [JournalEntry.Content] { try replay?.contents(at: unit) ?? [] }

  /// How the unit under way died where the journal was written; `nil` where it lived, or where
  /// nothing is followed.
  ///
  /// - Throws: ``TaskError`` with `.diverged`.
  package func death(of name: UnitName) throws -> Death? {
    for case .died(name, let death) in try replayed() { return death }
    return nil
  }

  /// Whether the unit under way was not run where the journal was written, for its handler had ended
  /// the process.
  ///
  /// - Throws: ``TaskError`` with `.diverged`.
  package func isTrapped(_ name: UnitName) throws -> Bool {
    try replayed().contains(.trapped(name))
  }

  /// How often the unit under way was tried where the journal was written, if more than once.
  ///
  /// - Throws: ``TaskError`` with `.diverged`.
  package func tries(of name: UnitName) throws -> Int? {
    for case .retried(name, let attempts, _) in try replayed() { return attempts }
    return nil
  }

  /// - Throws: ``TaskError`` with `.diverged` where a unit fails that lived where the journal was
  ///   written.
  package func checkDeath(of name: UnitName, _ why: String) throws {
    guard replay != nil, try death(of: name) == nil else { return }
    throw diverged("\(name) fails, and did not when the journal was written: \(why)")
  }

  /// The unit under way cannot do what the journal says.
  package func diverged(_ what: String) -> TaskError {
    guard let replay else {
      return TaskError(.diverged, nil, nil, "no journal is followed: \(what)")
    }
    return replay.diverged(at: unit, what)
  }

  /// Ends the unit under way, with or without effects.
  ///
  /// - Throws: ``TaskError`` with `.diverged` where it was not what a replayed journal says.
  package func endUnit() throws {
    if let replay { noted += try replay.endUnit(unit) }
    if !noted.isEmpty {
      for content in noted { append(JournalEntry(unit, content).encoded()) }
      noted.removeAll(keepingCapacity: true)
    }
    unit += 1
  }

  /// Forgets the unit under way: it was taken back and is not ended.
  package func dropUnit() {
    noted.removeAll(keepingCapacity: true)
    replay?.dropUnit()
  }

  /// The units so far are committed.
  package func commit() { replay?.commit() }

  /// Goes back to the last commit.
  package func restore(at unit: Int64) {
    self.unit = unit
    dropUnit()
    replay?.restore()
  }

  /// Decides itself instead: units count otherwise than in the state that is followed, for an input
  /// does not hold all that it held.
  package func abandonReplay() { replay = nil }

  /// Decides from here on.
  ///
  /// - Throws: ``TaskError`` with `.diverged` where a replay was not followed to its end.
  package func finishReplay() throws {
    try replay?.finish(at: unit)
    replay = nil
  }
}
