import Glibc
import StateStore
import StreamCore

extension StateDirectory {
  private func decisionsPath(_ generation: Int) -> String {
    "\(directory(of: generation))/decisions"
  }

  /// What operators of the process had decided before a generation was begun.
  ///
  /// - Throws: ``StateStore/StoreError`` with `.corrupted` for a file that this engine did not write.
  func inheritedDecisions(of generation: Int) throws(StoreError) -> OperatorDecisions {
    let path = decisionsPath(generation)
    guard let bytes = try DurableFile.readBytes(path) else { return OperatorDecisions() }
    do throws(SerdeError) { return try OperatorDecisions(bytes) } catch {
      throw StoreError(
        .corrupted,
        "\(error.description); restore the file, or remove it where nothing was skipped, retried or "
          + "released", store: path)
    }
  }

  /// What a generation's successor inherits: what it inherited itself, and what was decided in it.
  ///
  /// - Throws: ``StateStore/StoreError``.
  func decisions(upTo generation: Int) throws -> OperatorDecisions {
    var decisions = try inheritedDecisions(of: generation)
    for task in try tasks(of: generation) {
      let reader = try StateReader.open(self.task(generation, task))
      try decisions.add(ListedJournal(try reader.read { try $0.journal() }))
    }
    return decisions
  }

  /// - Throws: ``StateStore/StoreError``.
  func setInherited(_ decisions: OperatorDecisions, of generation: Int) throws(StoreError) {
    if decisions.isEmpty { return }
    try DurableFile.write(decisions.encoded(), to: decisionsPath(generation))
  }
}
