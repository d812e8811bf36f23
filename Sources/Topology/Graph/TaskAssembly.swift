import StateStore
import StreamCore

/// Wires one task: each operator attaches itself to the port it reads, and reads its own port's
/// consumers, which were attached before it.
public final class TaskAssembly {
  @usableFromInline let context: RecordContext
  let state: TaskState
  let outbox: OutboxWriter
  private var consumers: [ObjectIdentifier: AnyObject] = [:]
  private var stores: [String: AnyObject] = [:]
  /// The sources by topic, filled as they are assembled.
  var sources: [String: any SourceOperator] = [:]
  let counters: TaskCounters
  let timers: TaskTimers
  @usableFromInline let sequences: SequenceNumbers
  /// Whether the row of a record's key is there, by the operators whose rows are waited for.
  private(set) var rowProbes: [String: (_ key: [UInt8]) throws -> RowProbe] = [:]
  /// Where operators tell the process something worth reading.
  let log: @Sendable (String) -> Void

  init(
    state: TaskState, context: RecordContext, outbox: OutboxWriter, counters: TaskCounters,
    timers: TaskTimers, sequences: SequenceNumbers, log: @escaping @Sendable (String) -> Void
  ) {
    self.state = state
    self.context = context
    self.outbox = outbox
    self.counters = counters
    self.timers = timers
    self.sequences = sequences
    self.log = log
  }

  /// All that consume `port`, as one call; `nil` where nobody does.
  @inlinable
  func consumers<Key, Value>(of port: Port<Key, Value>) -> Forward<Key, Value>? {
    box(port).joined(context)
  }

  /// As ``consumers(of:)``, for an operator that has nothing to spare where nobody does.
  @inlinable
  func output<Key, Value>(of port: Port<Key, Value>) -> Forward<Key, Value> {
    consumers(of: port) ?? { _, _ in }
  }

  @inlinable
  func attach<Key, Value>(to port: Port<Key, Value>, _ forward: @escaping Forward<Key, Value>) {
    // Consumers attach in reverse order of declaration; they are called in that of declaration.
    box(port).list.insert(forward, at: 0)
  }

  @usableFromInline
  func box<Key, Value>(_ port: Port<Key, Value>) -> Consumers<Key, Value> {
    let id = ObjectIdentifier(port)
    if let known = consumers[id] as? Consumers<Key, Value> { return known }
    let new = Consumers<Key, Value>()
    consumers[id] = new
    return new
  }

  /// Lets a row of an operator be asked for, for records that wait for it or for a number, where keys
  /// are text.
  @usableFromInline
  func probeRows<Key: StoreKey, Row>(
    of store: KeyValueStore<Key, Row>, named name: String, sequence: SequenceCheck<Row>?
  ) {
    guard let texts = store as? KeyValueStore<String, Row> else { return }
    rowProbes[name] = { key in
      let row = try texts.get(String(decoding: key, as: UTF8.self))
      return RowProbe(
        hasRow: row != nil, checksNumbers: sequence != nil,
        last: row.flatMap { sequence?.last($0) }, first: sequence?.first)
    }
  }

  func add(store: AnyObject, named name: String) { stores[name] = store }

  @usableFromInline
  func store<Key: StoreKey, Row>(
    _ declaration: KeyValueDeclaration<Key, Row>
  ) -> KeyValueStore<Key, Row> {
    guard let store = stores[declaration.name] as? KeyValueStore<Key, Row> else {
      preconditionFailure("store '\(declaration.name)' was not registered before its operators")
    }
    return store
  }

  @usableFromInline
  func audit(named name: String) -> AuditStore {
    guard let store = stores[name] as? AuditStore else {
      preconditionFailure("store '\(name)' was not registered before its operators")
    }
    return store
  }
}
