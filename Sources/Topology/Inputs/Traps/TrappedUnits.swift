import Glibc
package import StateStore

/// A unit during which the process was ended by a trap.
package struct TrappedUnit: Hashable, Sendable, CustomStringConvertible {
  package let generation: Int
  package let task: String
  /// An input, or an operator whose firing it was.
  package let input: String
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

  package var description: String { "\(input)@\(offset) in task \(task)" }

  fileprivate init?(line: Substring) {
    let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
    guard fields.count == 5, let generation = Int(fields[0]), let offset = Int64(fields[3]),
      let unit = Int64(fields[4])
    else { return nil }
    (self.generation, task, input) = (generation, String(fields[1]), String(fields[2]))
    (self.offset, self.unit) = (offset, unit)
  }
}

/// `STATE/TOPOLOGY/trapped`: the units of a topology whose handlers trapped, as the owner's start
/// finds them.
///
/// Each is tried once more; one that traps again is not run any more. A line is forgotten once an
/// interval past its unit is durable: the unit went through, or went to its policy.
package struct TrappedUnits: Sendable {
  fileprivate struct Place: Hashable {
    let generation: Int
    let task: String
    let input: String
    let offset: Int64
  }

  package let path: String
  /// In the order in which they trapped.
  package private(set) var units: [TrappedUnit] = []
  private var counts: [Place: Int] = [:]

  /// Reads the lines; one that is cut off or none of ours is passed over.
  ///
  /// - Parameter path: of a file that may not be there.
  /// - Throws: ``StateStore/StoreError`` naming the path and the system's reason.
  package init(path: String) throws(StoreError) {
    self.path = path
    for line in (try DurableFile.read(path) ?? "").split(separator: "\n") {
      guard let unit = TrappedUnit(line: line) else { continue }
      units.append(unit)
      counts[Place(unit), default: 0] += 1
    }
  }

  package var isEmpty: Bool { units.isEmpty }

  /// How often a unit trapped: after the second time it is not run.
  package func traps(generation: Int, task: String, input: String, offset: Int64) -> Int {
    if counts.isEmpty { return 0 }
    return counts[
      Place(generation: generation, task: task, input: input, offset: offset)] ?? 0
  }

  /// Forgets the units of a task before one that is durable.
  ///
  /// - Returns: whether there were any; ``save()`` then makes it last.
  package mutating func forget(generation: Int, task: String, before unit: Int64) -> Bool {
    let count = units.count
    units.removeAll { $0.generation == generation && $0.task == task && $0.unit < unit }
    guard units.count < count else { return false }
    counts = [:]
    for unit in units { counts[Place(unit), default: 0] += 1 }
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

extension TrappedUnits.Place {
  init(_ unit: TrappedUnit) {
    self.init(
      generation: unit.generation, task: unit.task, input: unit.input, offset: unit.offset)
  }
}
