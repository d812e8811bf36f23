import StateStore

/// What an operator decides of kept records.
struct KeptVerb: Sendable {
  /// The verb of the request.
  let name: String
  let past: String
  /// What there is none of where there is nothing to do.
  let kind: String
  let store: @Sendable (StreamTask) -> EntryStore
  /// Whether it may be said of all at once; else ids or a reason are named.
  let concernsAll: Bool
  /// Carries it out; says what became of the record, `nil` where the entry is gone.
  let perform: Perform

  /// - Parameter alone: whether the entry was named by its id.
  typealias Perform =
    @Sendable (_ task: StreamTask, _ number: Int64, _ alone: Bool) throws -> String?

  static let retry = KeptVerb(
    name: "retry", past: "retried", kind: "dead letters", store: { $0.state.deadLetters },
    concernsAll: true, perform: { try $0.retryDeadLetter($1, alone: $2)?.name })
  private static let skip = KeptVerb(
    name: "skip", past: "skipped", kind: "dead letters", store: { $0.state.deadLetters },
    concernsAll: false,
    perform: { task, number, _ in try task.skipDeadLetter(number) ? "done" : nil })
  private static let release = KeptVerb(
    name: "release", past: "released", kind: "held records", store: { $0.state.held },
    concernsAll: false, perform: { task, number, _ in try task.releaseHeld(number)?.name })
  private static let all = [retry, skip, release]

  private init(
    name: String, past: String, kind: String, store: @escaping @Sendable (StreamTask) -> EntryStore,
    concernsAll: Bool, perform: @escaping Perform
  ) {
    self.name = name
    self.past = past
    self.kind = kind
    self.store = store
    self.concernsAll = concernsAll
    self.perform = perform
  }

  /// - Returns: `nil` for a verb that is none of kept records.
  init?(named name: String) {
    guard let verb = Self.all.first(where: { $0.name == name }) else { return nil }
    self = verb
  }

  /// What all tasks together did, in words.
  func reply(_ tallies: [KeptWork.Tally]) -> Reply {
    if !tallies.isEmpty, tallies.allSatisfy(\.wasDone) {
      return Reply(.done, "carried out before")
    }
    let fates = tallies.map(\.fates).reduce(into: [:]) { $0.merge($1, uniquingKeysWith: +) }
    let parts = fates.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    return Reply(.done, parts.isEmpty ? "no \(kind)" : "\(past): \(parts.joined(separator: ", "))")
  }
}
