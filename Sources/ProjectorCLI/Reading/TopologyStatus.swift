import StateStore
import StreamCore
import Topology

/// What the state says of its own progress: positions, fates, what waits.
struct TopologyStatus {
  /// One partition that a task reads; a task that has read nothing yet has none.
  struct Input {
    let task: String
    let topicPartition: String?
    let position: Offset?
    let streamTime: Timestamp?
    /// The log's end; `nil` where no log was asked.
    var end: Offset?
    var lag: Int64? { end.map { max(0, $0 - (position ?? 0)) } }
  }

  /// From here on `status` warns of records that wait.
  private static let heldPerKey = 1_000
  private static let heldPerTask = 100_000

  let topology: String
  let generation: Int
  let meta: GenerationMeta?
  private(set) var inputs: [Input] = []
  /// By the names of ``Topology/Counter``, summed over the tasks.
  private(set) var counters: [String: Int64] = [:]
  private(set) var held: Int64 = 0
  private(set) var deadLetters: Int64 = 0
  private(set) var views: [(name: String, rows: Int64)] = []
  /// Stores that were added to the topology and are not filled yet.
  private(set) var waiting: Set<String> = []
  private(set) var seenIDs = SeenIDSizes()
  /// Commits that the oldest reader of any task lags behind: pages freed since are not used again.
  private(set) var oldestReaderLag = 0
  private(set) var snapshots: [SnapshotStatus] = []
  /// What somebody should look at.
  private(set) var warnings: [String] = []

  /// - Throws: ``StateStore/StoreError``, or a ``Failure`` where there is no state.
  static func read(_ directory: StateDirectory) throws -> TopologyStatus {
    try TopologyStatus(TopologyState(directory))
  }

  init(_ state: TopologyState) throws {
    topology = state.directory.topology
    generation = state.generation
    meta = try GenerationMeta.read(state.directory.directory(of: state.generation))
    for counter in Counter.allCases { counters[counter.name] = 0 }
    var rows: [String: Int64] = [:]
    snapshots = try SnapshotStatus.all(in: state.directory)
    for task in state.tasks { try add(task, &rows) }
    views = rows.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private mutating func add(_ task: StoredTask, _ rows: inout [String: Int64]) throws {
    // It is closed again before the next one: a topology may have thousands.
    let reader = try StateReader.open(task.directory)
    oldestReaderLag = max(oldestReaderLag, reader.environment.oldestReaderLag)
    let (words, places, stores, ids) = try reader.read {
      (try $0.words(), try $0.positions(), try $0.stores(), try $0.seenIDs())
    }
    for counter in Counter.allCases {
      counters[counter.name, default: 0] += words["count/\(counter)"] ?? 0
    }
    waiting.formUnion(reader.identity.waiting)
    let heldHere = words["held.count"] ?? 0
    held += heldHere
    deadLetters += words["deadLetters.count"] ?? 0
    let positions = places.sorted { $0.key < $1.key }
    let time = words["clock.known"] == 1 ? words["clock"] : nil
    for (partition, place) in positions {
      inputs.append(
        Input(
          task: "\(task.name)", topicPartition: partition, position: place.position,
          streamTime: time.map { Timestamp(milliseconds: $0) }))
    }
    if positions.isEmpty {
      inputs.append(
        Input(task: "\(task.name)", topicPartition: nil, position: nil, streamTime: nil))
    }
    for store in stores where store.isPublished {
      rows[store.name, default: 0] += words["rows.\(store.name)"] ?? 0
    }
    seenIDs.add(ids)
    try warn(of: heldHere, in: task, reader)
  }

  private mutating func warn(
    of waiting: Int64, in task: StoredTask, _ reader: StateReader
  ) throws {
    if waiting >= Self.heldPerTask {
      warnings.append(
        "task \(task.name) holds \(waiting.grouped) records; see `held \(topology) list`")
    }
    guard waiting >= Self.heldPerKey else { return }
    var cursor: [UInt8]?
    var last = EntryGroup(group: [], first: 0, count: 0)
    var long: [EntryGroup] = []
    repeat {
      let page = try reader.read {
        try $0.entryGroups(KeptList.held.rawValue, after: cursor, limit: 4_096)
      }
      for group in page.groups {
        if group.group == last.group {
          last.count += group.count
        } else {
          last = group
        }
        if last.count >= Self.heldPerKey, long.last?.group == last.group { long.removeLast() }
        if last.count >= Self.heldPerKey { long.append(last) }
      }
      cursor = page.cursor
    } while cursor != nil
    guard let first = long.max(by: { $0.count < $1.count }) else { return }
    let id = DeadLetterID(task: task.name, number: first.first)
    let others = long.count > 1 ? ", and \((long.count - 1).grouped) other keys as well" : ""
    warnings.append(
      "\(first.count.grouped) records wait for one key of task \(task.name)\(others); see `held "
        + "\(topology) show \(id)`")
  }

  /// Asks the log for its ends.
  ///
  /// - Throws: ``StreamCore/LogError``.
  mutating func askEnds(of log: any RecordLog) throws {
    let places = inputs.map { input -> TopicPartition? in
      guard let name = input.topicPartition, let dash = name.lastIndex(of: "-"),
        let partition = Int(name[name.index(after: dash)...])
      else { return nil }
      return TopicPartition(String(name[..<dash]), partition)
    }
    let offsets = try log.offsets(of: Array(Set(places.compactMap(\.self))))
    for (index, place) in zip(inputs.indices, places) {
      inputs[index].end = place.flatMap { offsets[$0]?.upperBound }
    }
  }

  // MARK: Text

  /// The fates as a sum, and what waits.
  var summary: String {
    let fates = Counter.fates.map { "\($0.name) \((counters[$0.name] ?? 0).grouped)" }
    return """
      consumed \((counters[Counter.consumed.name] ?? 0).grouped) = \(fates.joined(separator: " + "))
      held records \(held.grouped), dead letters \(deadLetters.grouped)

      """
  }

  /// Counters other than the fates, where they are not 0.
  private var details: [(name: String, count: Int64)] {
    Counter.allCases.filter { !Counter.fates.contains($0) && $0 != .consumed }
      .map { ($0.name, counters[$0.name] ?? 0) }.filter { $0.1 != 0 }
  }

  var text: String {
    var head = "Topology: \(topology) (generation \(StateDirectory.name(generation))"
    if let meta { head += ", \(meta.phase.rawValue), created \(meta.created)" }
    var table = TextTable(
      ["TASK", "PARTITION", "POSITION", "END", "LAG", "STREAM TIME"], numeric: [2, 3, 4])
    for input in inputs {
      table.add([
        input.task, input.topicPartition ?? "-", input.position?.grouped ?? "-",
        input.end?.grouped ?? "-", input.lag?.grouped ?? "-", input.streamTime?.description ?? "-",
      ])
    }
    var text = head + ")\n\n" + table.text + "\n" + summary
    if !details.isEmpty {
      text += details.map { "\($0.name) \($0.count.grouped)" }.joined(separator: ", ") + "\n"
    }
    text += "seen ids \(seenIDs.text)\n"
    text += "oldest reader \(oldestReaderLag.grouped) commits behind\n"
    text += snapshots.map { $0.line + "\n" }.joined()
    text += views.map { "view \($0.name): \($0.rows.grouped) rows\n" }.joined()
    text += waiting.sorted().map {
      "store \($0): waits to be filled by `projector rewind \(topology) --to earliest`\n"
    }.joined()
    text += warnings.map { "warning: \($0)\n" }.joined()
    return text
  }

  var json: String {
    var object = JSONText.Object()
    object.add("topology", topology)
    object.add("generation", generation)
    object.add("status", meta?.phase.rawValue)
    object.add("created", meta?.created)
    object.add("inputs", json: JSONText.array(inputs.map(Self.object)))
    var counts = JSONText.Object()
    for counter in Counter.allCases { counts.add(counter.name, counters[counter.name] ?? 0) }
    object.add("counters", json: counts.text)
    object.add("heldRecords", held)
    object.add("deadLetters", deadLetters)
    var ids = JSONText.Object()
    ids.add("ids", seenIDs.ids)
    ids.add("memoryBytes", seenIDs.memoryBytes)
    ids.add("diskBytes", seenIDs.diskBytes)
    ids.add("memoryBytesPerId", json: SeenIDSizes.each(seenIDs.memoryBytes, seenIDs.ids))
    ids.add("diskBytesPerId", json: SeenIDSizes.each(seenIDs.diskBytes, seenIDs.ids))
    object.add("seenIds", json: ids.text)
    object.add("oldestReaderLag", oldestReaderLag)
    object.add("snapshots", json: JSONText.array(snapshots.map(\.json)))
    var rows = JSONText.Object()
    for view in views { rows.add(view.name, view.rows) }
    object.add("views", json: rows.text)
    object.add("waiting", json: JSONText.array(waiting.sorted().map(JSONText.quoted)))
    object.add("warnings", json: JSONText.array(warnings.map(JSONText.quoted)))
    return object.text
  }

  private static func object(_ input: Input) -> String {
    var object = JSONText.Object()
    object.add("task", input.task)
    object.add("partition", input.topicPartition)
    object.add("position", json: input.position.map(String.init) ?? "null")
    if let end = input.end, let lag = input.lag {
      object.add("end", end)
      object.add("lag", lag)
    }
    object.add("streamTime", input.streamTime?.description)
    return object.text
  }
}

/// What the seen ids take.
struct SeenIDSizes {
  var ids = 0
  var memoryBytes = 0
  var diskBytes = 0

  /// `1,000 (5.3KiB of memory, 26KiB on disk; 5.3 and 26.0 bytes an id)`.
  var text: String {
    let sizes =
      "\(ByteSize.rounded(memoryBytes)) of memory, \(ByteSize.rounded(diskBytes)) on disk"
    guard ids > 0 else { return "\(ids) (\(sizes))" }
    let (memory, disk) = (Self.each(memoryBytes, ids), Self.each(diskBytes, ids))
    return "\(ids.grouped) (\(sizes); \(memory) and \(disk) bytes an id)"
  }

  /// With one digit behind the point.
  static func each(_ bytes: Int, _ ids: Int) -> String {
    guard ids > 0 else { return "0" }
    let tenths = (bytes * 10 + ids / 2) / ids
    return "\(tenths / 10).\(tenths % 10)"
  }

  mutating func add(_ other: SeenIDs.Statistics) {
    ids += other.ids
    memoryBytes += other.memoryBytes
    diskBytes += other.diskBytes
  }
}

extension ByteSize {
  /// `1.5MiB`: for people.
  static func rounded(_ bytes: Int) -> String {
    for (name, unit) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] where bytes >= unit {
      let tenths = (bytes * 10 + unit / 2) / unit
      return tenths % 10 == 0 ? "\(tenths / 10)\(name)" : "\(tenths / 10).\(tenths % 10)\(name)"
    }
    return "\(bytes)B"
  }
}
