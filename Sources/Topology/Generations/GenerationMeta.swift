import StateStore

/// What `meta.json` says of a generation.
package struct GenerationMeta: Hashable, Sendable {
  /// How far the rebuild that makes it has come: written before the phase is entered, and all that a
  /// start goes by.
  package enum Phase: String, Hashable, Sendable {
    /// It fills; given up, it is removed and the one before it goes on.
    case filling
    /// It is filled to the cut and the one before it worked off: from here on it is finished, by the
    /// next start if need be.
    case recorded
    /// It serves, or did until another one took its place.
    case serving
  }

  package var phase: Phase
  /// RFC 3339.
  package var created: String
  /// Of the topology that fills it; empty where it was not noted.
  package var lineage: String
  /// Its tasks, each named before its first record is taken.
  package var tasks: [TaskName] = []
  /// The id of the request that asked for it, so that a repeated one is answered and not carried
  /// out again; `nil` for one that nobody waits for.
  package var request: String?
  /// The generation to be removed once this one serves.
  package var drops: Int?
  /// Whether its outputs are sent from its beginning, though another generation sent them.
  package var sendsAll = false

  package init(phase: Phase, created: String, lineage: String, request: String? = nil) {
    self.phase = phase
    self.created = created
    self.lineage = lineage
    self.request = request
  }

  package func write(to directory: String) throws(StoreError) {
    var fields = [
      "\"phase\":\"\(phase.rawValue)\"", "\"created\":\"\(created)\"", "\"lineage\":\"\(lineage)\"",
    ]
    if let request { fields.append("\"request\":\"\(request)\"") }
    if sendsAll { fields.append("\"outputs\":\"all\"") }
    if let drops { fields.append("\"drops\":\"\(drops)\"") }
    fields.append("\"tasks\":[\(tasks.map { "\"\($0)\"" }.joined(separator: ","))]")
    try DurableFile.write("{\(fields.joined(separator: ","))}\n", to: "\(directory)/meta.json")
  }

  /// - Throws: ``StateStore/StoreError`` with `.corrupted` for a file that this engine did not write.
  package static func read(_ directory: String) throws(StoreError) -> GenerationMeta? {
    guard let text = try DurableFile.read("\(directory)/meta.json") else { return nil }
    let fields = StateFields(text)
    guard let word = fields["phase"], let phase = Phase(rawValue: word),
      let created = fields["created"], let lineage = fields["lineage"],
      // The list of tasks is its end: one that is cut off would miss no task that is lost.
      text.contains("\"tasks\":["), text.hasSuffix("]}\n")
    else {
      throw StoreError(
        .corrupted,
        "\(directory)/meta.json does not say how far the generation has come; restore the file, or "
          + "remove the generation if another one serves", store: "")
    }
    var meta = GenerationMeta(
      phase: phase, created: created, lineage: lineage, request: fields["request"])
    meta.drops = fields["drops"].flatMap { Int($0) }
    meta.sendsAll = fields["outputs"] == "all"
    meta.tasks = fields.list("tasks").compactMap { TaskName(parsing: $0) }
    return meta
  }
}

/// Text fields of the small files that the engine writes: `{"name":"value","names":["value",…],…}`.
struct StateFields {
  private let parts: [Substring]

  init(_ text: String) {
    parts = text.split(separator: "\"", omittingEmptySubsequences: false)
  }

  subscript(name: String) -> String? {
    guard let index = place(of: name), parts[index + 1] == ":", index + 2 < parts.count else {
      return nil
    }
    return String(parts[index + 2])
  }

  /// The texts of a field that is a list; empty where there is none.
  func list(_ name: String) -> [Substring] {
    guard let index = place(of: name), parts[index + 1] == ":[" else { return [] }
    var values: [Substring] = []
    var next = index + 2
    while next + 1 < parts.count {
      values.append(parts[next])
      guard parts[next + 1] == "," else { break }
      next += 2
    }
    return values
  }

  /// Names and values take every second place.
  private func place(of name: String) -> Int? {
    parts.indices.first {
      $0 % 2 == 1 && parts[$0] == name && $0 + 1 < parts.count
        && parts[$0 + 1].hasPrefix(":")
    }
  }
}
