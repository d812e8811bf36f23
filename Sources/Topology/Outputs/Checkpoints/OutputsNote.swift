import StateStore
import StreamCore

/// What a state keeps of its own outputs, in its outbox; its snapshots have it too.
package struct OutputsNote: Hashable, Sendable {
  private static let version: Int64 = 1

  /// Under which its checkpoints are written; 0 before it has any.
  package var generation: Int64 = 0
  /// The offset of its last start in its partition of the journal topic, or of a later one that it
  /// has come to.
  package var start: Offset?
  /// Its start is being written, at ``start`` or beyond.
  package var isSought = false
  /// It follows a state of the generation that it was begun beside, and takes a new one once it has
  /// come to the last checkpoint.
  package var takesNewGeneration = false
  /// It sends nothing of the records before these offsets.
  package var cut: [TopicPartition: Offset]?
  /// It took a record while nothing was to leave it.
  package var tookWithoutOutputs = false

  package init() {}

  /// - Throws: ``StateStore/StoreError`` with `.corrupted`.
  package init(_ bytes: [UInt8]?, directory: String) throws {
    guard let bytes else { return }
    do {
      var reader = EntryReader(bytes)
      guard try reader.number() == Self.version else { throw SerdeError("another version") }
      generation = try reader.number()
      let offset = try reader.number()
      start = offset < 0 ? nil : offset
      let flags = try reader.number()
      isSought = flags & 1 != 0
      takesNewGeneration = flags & 2 != 0
      tookWithoutOutputs = flags & 4 != 0
      if flags & 8 != 0 { cut = try reader.offsets() }
    } catch let error as SerdeError {
      throw StoreError(
        .corrupted,
        "what the state says of its outputs cannot be read (\(error.description)); restore a "
          + "snapshot or rebuild", store: directory)
    }
  }

  func encoded() -> [UInt8] {
    var writer = EntryWriter()
    writer.append(Self.version)
    writer.append(generation)
    writer.append(start ?? -1)
    writer.append(
      (isSought ? 1 : 0) | (takesNewGeneration ? 2 : 0) | (tookWithoutOutputs ? 4 : 0)
        | (cut == nil ? 0 : 8))
    if let cut { writer.append(cut) }
    return writer.bytes
  }
}
