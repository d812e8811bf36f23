import StateStore
import StreamCore
import Topology

/// What the state says of its own progress: positions, fates, what waits.
struct TopologyStatus {
  struct Input {
    let task: String
    let topicPartition: String
    let position: Offset
    let streamTime: Timestamp?
    /// The log's end; `nil` where no log was asked.
    var end: Offset?
    var lag: Int64? { end.map { max(0, $0 - position) } }
  }

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
    for task in state.tasks {
      oldestReaderLag = max(oldestReaderLag, task.environment.oldestReaderLag)
      let (words, stores) = try task.read { (try $0.words(), try $0.stores()) }
      waiting.formUnion(task.identity.waiting)
      for counter in Counter.allCases {
        counters[counter.name, default: 0] += words["count/\(counter)"] ?? 0
      }
      held += words["held.count"] ?? 0
      deadLetters += words["deadLetters.count"] ?? 0
      let streamTime =
        words["clock.known"] == 1 ? words["clock"].map { Timestamp(milliseconds: $0) } : nil
      for (partition, position) in OpenView.positions(in: words) {
        inputs.append(
          Input(
            task: TaskName(task.identity).description,
            topicPartition: partition, position: position,
            streamTime: streamTime))
      }
      for store in stores where store.isPublished {
        rows[store.name, default: 0] += words["rows.\(store.name)"] ?? 0
      }
      seenIDs.add(try task.read { try $0.seenIDs() })
    }
    views = rows.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    inputs.sort { ($0.task, $0.topicPartition) < ($1.task, $1.topicPartition) }
  }

  /// Asks the log for its ends.
  ///
  /// - Throws: ``StreamCore/LogError``.
  mutating func askEnds(of log: any RecordLog) throws {
    for index in inputs.indices {
      let name = inputs[index].topicPartition
      guard let dash = name.lastIndex(of: "-"),
        let partition = Int(name[name.index(after: dash)...])
      else { continue }
      inputs[index].end =
        try log.offsets(of: TopicPartition(String(name[..<dash]), partition)).upperBound
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
        input.task, input.topicPartition, input.position.grouped, input.end?.grouped ?? "-",
        input.lag?.grouped ?? "-", input.streamTime?.description ?? "-",
      ])
    }
    var text = head + ")\n\n" + table.text + "\n" + summary
    if !details.isEmpty {
      text += details.map { "\($0.name) \($0.count.grouped)" }.joined(separator: ", ") + "\n"
    }
    text +=
      "seen ids \(seenIDs.ids.grouped) (\(ByteSize.rounded(seenIDs.memoryBytes)) of memory, "
      + "\(ByteSize.rounded(seenIDs.diskBytes)) on disk)\n"
    text += "oldest reader \(oldestReaderLag.grouped) commits behind\n"
    text += snapshots.map { $0.line + "\n" }.joined()
    text += views.map { "view \($0.name): \($0.rows.grouped) rows\n" }.joined()
    text += waiting.sorted().map {
      "store \($0): waits to be filled by `projector rewind \(topology) --to earliest`\n"
    }.joined()
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
    object.add("seenIds", json: ids.text)
    object.add("oldestReaderLag", oldestReaderLag)
    object.add("snapshots", json: JSONText.array(snapshots.map(\.json)))
    var rows = JSONText.Object()
    for view in views { rows.add(view.name, view.rows) }
    object.add("views", json: rows.text)
    object.add("waiting", json: JSONText.array(waiting.sorted().map(JSONText.quoted)))
    return object.text
  }

  private static func object(_ input: Input) -> String {
    var object = JSONText.Object()
    object.add("task", input.task)
    object.add("partition", input.topicPartition)
    object.add("position", input.position)
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
