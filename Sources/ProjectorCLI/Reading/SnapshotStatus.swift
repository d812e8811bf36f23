import StateStore
import StreamCore
import Topology

/// What `status` says of a snapshot.
struct SnapshotStatus {
  let number: Int
  let bytes: Int
  /// `nil` for one that cannot be read.
  let meta: SnapshotStore.Meta?
  let positions: [TopicPartition: Offset]

  /// Newest first.
  ///
  /// - Throws: ``StateStore/StoreError`` where the directory cannot be read.
  static func all(in directory: StateDirectory) throws -> [SnapshotStatus] {
    let store = SnapshotStore(directory)
    return try store.numbers().reversed().map { number in
      do {
        return SnapshotStatus(
          number: number, bytes: try store.bytes(number), meta: try store.meta(number),
          positions: try store.positions(number))
      } catch is StoreError {
        // Damaged, or removed by its owner just now.
        return SnapshotStatus(
          number: number, bytes: try store.bytes(number), meta: nil, positions: [:])
      }
    }
  }

  private var sortedPositions: [(name: String, offset: Offset)] {
    positions.sorted { ($0.key.topic, $0.key.partition) < ($1.key.topic, $1.key.partition) }
      .map { ("\($0.key)", $0.value) }
  }

  var line: String {
    let name = "snapshot \(StateDirectory.name(number)): \(ByteSize.rounded(bytes))"
    guard let meta else { return name + ", cannot be read" }
    let places = sortedPositions.map { "\($0.name)@\($0.offset)" }.joined(separator: ",")
    return name + ", generation \(meta.generation), taken \(meta.taken), \(places)"
  }

  var json: String {
    var object = JSONText.Object()
    object.add("number", number)
    object.add("bytes", bytes)
    object.add("readable", meta != nil)
    if let meta {
      object.add("generation", meta.generation)
      object.add("taken", meta.taken.description)
      var places = JSONText.Object()
      for (name, offset) in sortedPositions { places.add(name, offset) }
      object.add("positions", json: places.text)
    }
    return object.text
  }
}
