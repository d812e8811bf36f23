import StreamCore
import Synchronization

/// Leaves entries out of the outbox of a task that runs: an operator's decision.
///
/// Its publisher takes nothing at or behind them until that is committed; what it has taken before is
/// sent, or nobody knows, and is not left out any more.
final class OutboxSkipWork: TaskWork {
  /// What became of it, which its loop keeps and others read.
  final class Progress: Sendable {
    private let contents = Mutex((skipped: 0, wasDone: false))
    var value: (skipped: Int, wasDone: Bool) { contents.withLock { $0 } }
    func set(skipped: Int) { contents.withLock { $0.skipped = skipped } }
    func setDone() { contents.withLock { $0.wasDone = true } }
  }

  private let ids: [OutboxEntryID]
  private let request: String
  private let outputs: TaskOutputs?
  private let whenEnded: @Sendable ((any Error)?) -> Void
  private var claimed: [OutboxEntryID] = []
  let progress = Progress()

  /// - Parameters:
  ///   - ids: of the task.
  ///   - request: the id of the request that asks for it, which is committed with the effect.
  init(
    _ ids: [OutboxEntryID], request: String, outputs: TaskOutputs?,
    whenEnded: @escaping @Sendable ((any Error)?) -> Void
  ) {
    self.ids = ids
    self.request = request
    self.outputs = outputs
    self.whenEnded = whenEnded
  }

  func step(_ task: StreamTask) throws -> (records: Int, hasMore: Bool) {
    let memory = RequestMemory(request, in: task.state.words)
    if memory.progress == .done {
      progress.setDone()
      return (0, false)
    }
    if memory.progress == .new { memory.begin(of: Int64(ids.count)) }
    // Not the first unit's to take back.
    task.state.commitUnit()
    var skipped = 0
    for id in ids where outputs?.claim(id) ?? true {
      claimed.append(id)
      if try task.skipOutboxEntry(id.number, to: id.destination) { skipped += 1 }
    }
    memory.noteDone()
    task.state.commitUnit()
    task.markDirty()
    progress.set(skipped: skipped)
    return (skipped, false)
  }

  func end(_ failure: (any Error)?) {
    outputs?.release(claimed)
    whenEnded(failure)
  }
}

extension OutboxEntryID {
  /// The entries that a request names, each once; `nil` where it names none, or what is no id.
  static func list(_ request: Request) -> [OutboxEntryID]? {
    let parts = (request.arguments["ids"] ?? "").split(separator: ",")
    let ids = parts.compactMap { OutboxEntryID(parsing: String($0)) }
    return ids.isEmpty || ids.count != parts.count ? nil : ids.uniqued()
  }

  static let unreadable = Reply(.failed, "these are no ids of entries; take them from `list`")

  /// What became of a request to leave entries out.
  static func reply(skipped: Int, of count: Int) -> Reply {
    guard skipped < count else { return Reply(.done, "skipped \(skipped) of \(count)") }
    return Reply(
      .refused,
      "skipped \(skipped) of \(count): the others do not wait in an outbox here, or are being sent")
  }
}
