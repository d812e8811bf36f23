import Glibc
package import StateStore

/// A unit during which the process was ended by a trap.
package struct TrappedUnit: Hashable, Sendable, CustomStringConvertible {
  package let generation: Int
  package let task: String
  /// An input, or `timer OPERATOR` for a firing.
  package let input: String
  /// The record's, or half of the firing's id.
  package let offset: Int64
  /// The unit's number when it trapped.
  package let unit: Int64

  /// The fields of a line that the units of one input share.
  static func prefix(generation: Int, task: String, input: String) -> String {
    "\(generation)\t\(task)\t\(input)\t"
  }

  fileprivate var line: String {
    Self.prefix(generation: generation, task: task, input: input) + "\(offset)\t\(unit)\n"
  }

  /// The input of an operator's firings; no topic's name has a space.
  package static func timers(of operatorName: String) -> String { timerPrefix + operatorName }
  private static let timerPrefix = "timer "

  package var description: String {
    input.hasPrefix(Self.timerPrefix)
      ? "a timer of '\(input.dropFirst(Self.timerPrefix.count))' in task \(task)"
      : "\(input)@\(offset) in task \(task)"
  }

  var place: TrapPlace {
    TrapPlace(generation: generation, task: task, input: input, offset: offset)
  }

  fileprivate init?(line: Substring) {
    let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
    guard fields.count == 5, let generation = Int(fields[0]), let offset = Int64(fields[3]),
      let unit = Int64(fields[4])
    else { return nil }
    (self.generation, task, input) = (generation, String(fields[1]), String(fields[2]))
    (self.offset, self.unit) = (offset, unit)
  }
}

/// Where a unit is that may trap again: its number is another one where other units go first.
struct TrapPlace: Hashable, Sendable {
  let generation: Int
  let task: String
  let input: String
  let offset: Int64
}

/// `STATE/TOPOLOGY/trapped`: the units of a topology whose handlers trapped, as the owner's start
/// finds them.
///
/// Each is tried once more; one that traps again is not run any more. A line is forgotten once an
/// interval past its unit is durable: the unit went through, or went to its policy.
package struct TrappedUnits: Sendable {
  /// After so many traps a unit is not run any more.
  static let triesMax = 2

  package let path: String
  /// In the order in which they trapped.
  package private(set) var units: [TrappedUnit] = []
  private var counts: [TrapPlace: Int] = [:]

  /// Reads the lines; one that is cut off or none of ours is passed over.
  ///
  /// - Parameter path: of a file that may not be there.
  /// - Throws: ``StateStore/StoreError`` naming the path and the system's reason.
  package init(path: String) throws(StoreError) {
    self.path = path
    for line in (try DurableFile.read(path) ?? "").split(separator: "\n") {
      guard let unit = TrappedUnit(line: line) else { continue }
      units.append(unit)
      counts[unit.place, default: 0] += 1
    }
  }

  package var isEmpty: Bool { units.isEmpty }

  /// How often a unit trapped: after the second time it is not run.
  package func traps(generation: Int, task: String, input: String, offset: Int64) -> Int {
    traps(at: TrapPlace(generation: generation, task: task, input: input, offset: offset))
  }

  func traps(at place: TrapPlace) -> Int { counts.isEmpty ? 0 : counts[place] ?? 0 }

  /// Forgets the units of a task that trapped before one that is durable, and not since.
  ///
  /// - Returns: whether there were any; ``save()`` then makes it last.
  package mutating func forget(generation: Int, task: String, before unit: Int64) -> Bool {
    var last: [TrapPlace: Int64] = [:]
    for unit in units { last[unit.place] = max(last[unit.place] ?? 0, unit.unit) }
    return remove { $0.generation == generation && $0.task == task && last[$0.place] ?? 0 < unit }
  }

  /// Forgets units that have passed.
  ///
  /// - Returns: as ``forget(generation:task:before:)``.
  mutating func forget(_ places: Set<TrapPlace>) -> Bool { remove { places.contains($0.place) } }

  /// Forgets the units of generations that will not run any more.
  ///
  /// - Returns: as ``forget(generation:task:before:)``.
  mutating func forget(generationsBefore generation: Int) -> Bool {
    remove { $0.generation < generation }
  }

  private mutating func remove(_ isGone: (TrappedUnit) -> Bool) -> Bool {
    let count = units.count
    units.removeAll(where: isGone)
    guard units.count < count else { return false }
    counts = [:]
    for unit in units { counts[unit.place, default: 0] += 1 }
    return true
  }

  /// Writes what is left; the owner alone does. A unit that traps in the same moment is tried once
  /// more than others are.
  ///
  /// - Throws: ``StateStore/StoreError`` naming the path and the system's reason.
  package func save() throws(StoreError) {
    if !units.isEmpty { return try DurableFile.write(units.map(\.line).joined(), to: path) }
    guard unlink(path) == 0 || errno == ENOENT else { throw DurableFile.failure("remove", path) }
  }
}
