/// Keys whose lines and waiting records are to be gone through, before the next record is taken: of
/// all sources of the task, for each may make the row that a record of another waits for.
///
/// Each step is a unit, and an interval may end among them; the keys that are left are then noted in
/// the state.
struct KeptCascade {
  private(set) var keys: [[UInt8]] = []
  /// Waiting records of the first key that were tried in vain, and the operators they wait for.
  private var stuck: [Int64: String] = [:]

  var first: [UInt8]? { keys.first }

  mutating func add(_ key: [UInt8]) {
    if !keys.contains(key) { keys.append(key) }
  }

  /// The first key is done.
  mutating func finish() {
    keys.removeFirst()
    stuck.removeAll()
  }

  func isStuck(_ number: Int64) -> Bool { stuck[number] != nil }

  mutating func note(stuck number: Int64, for operators: String) { stuck[number] = operators }

  /// Rows of the first key were created: those that wait for them are no longer in vain.
  mutating func unlock(_ operators: [String]) {
    guard !stuck.isEmpty, !operators.isEmpty else { return }
    stuck = stuck.filter { _, names in
      let names = names.split(separator: ",").map { $0.drop { $0 == " " } }
      return !names.contains { name in operators.contains { $0 == name } }
    }
  }

  /// A number came: whoever waits for one is no longer in vain.
  mutating func unlockAll() { stuck.removeAll() }
}
