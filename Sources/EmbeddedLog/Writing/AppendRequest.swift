import StateStore
import StreamCore

/// An append on its way into a transaction, with what else must hold and be written with it.
final class AppendRequest: WriteRequest {
  private let log: EmbeddedLog
  private(set) var append: EncodedAppend
  private let condition: ((Transaction) throws -> Void)?
  private let consequence: ((Transaction, EncodedAppend) throws -> Void)?
  /// Set where the topic was deleted, or made anew, since the records were laid out for it.
  private(set) var isOutdated = false

  var bytes: Int { append.bytes }
  var change: WakeFile.Change {
    let slots = append.runs.lazy.map { WakeFile.slot($0.topic.number, $0.partition) }
    return slots.isEmpty ? .nothing : .partitions(Set(slots))
  }

  init(
    _ log: EmbeddedLog, _ append: EncodedAppend,
    condition: ((Transaction) throws -> Void)? = nil,
    consequence: ((Transaction, EncodedAppend) throws -> Void)? = nil
  ) {
    self.log = log
    self.append = append
    self.condition = condition
    self.consequence = consequence
  }

  func check(_ transaction: Transaction) throws {
    for run in append.runs {
      let state = try PartitionState.read(transaction, log.tables, run.topic, run.partition)
      guard let state else {
        isOutdated = true
        throw Topic.missing(run.topic.name, in: log.url)
      }
      guard state.end <= Offset.max - Offset(run.count) else {
        throw LogError(.recordRejected, "'\(run.topic.name)' has no offsets left")
      }
    }
    try condition?(transaction)
  }

  func write(_ transaction: Transaction) throws {
    // Read under the log's write lock: what is appended later bears no earlier time, unless the
    // clock itself is set back.
    let now = log.clock.now()
    for index in append.runs.indices { try write(transaction, index, now) }
    try consequence?(transaction, append)
  }

  private func write(_ transaction: Transaction, _ index: Int, _ now: Timestamp) throws {
    let topic = append.runs[index].topic
    let partition = append.runs[index].partition
    var state = try log.state(transaction, topic, partition)
    append.setFirst(state.end, run: index)
    for number in append.runs[index].blocks.indices {
      let block = append.place(
        run: index, block: number, first: state.end, newestSoFar: state.newest, appended: now)
      state.newest = max(state.newest, block.newest)
      try transaction.put(
        log.tables.blocks, Block.key(topic.number, partition, state.end).raw,
        block.bytes.raw)
      state.end += Offset(block.count)
      state.bytes += Int64(block.bytes.count)
    }
    _ = try Retention.apply(transaction, log.tables, topic, partition, &state, now)
    try state.write(transaction, log.tables, topic, partition)
  }
}
