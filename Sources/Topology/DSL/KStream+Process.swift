public import StateStore
public import StreamCore

/// What a custom processor does with its records.
public struct Processor<Key, Value> {
  let process: (Key, Value) throws -> Void
  let onTimer: ((_ key: String, _ time: Timestamp) throws -> Void)?

  /// - Parameter onTimer: called when a timer of this processor is due, as a unit of its own.
  public init(
    onTimer: ((_ key: String, _ time: Timestamp) throws -> Void)? = nil,
    process: @escaping (Key, Value) throws -> Void
  ) {
    self.process = process
    self.onTimer = onTimer
  }
}

/// A custom processor's way to its stores, timers and consumers; one a task.
///
/// A processor keeps no state outside its stores: what it keeps elsewhere is neither taken back
/// with a failed unit nor there after a restart.
public final class ProcessorContext<NewKey, NewValue> {
  public let record: RecordContext
  private let name: String
  // Alive while the task is assembled; the processor is part of what it assembles.
  private weak var assembly: TaskAssembly?
  // The task owns its timers, which own the processor: they outlive it.
  private unowned let timers: TaskTimers
  private let next: Forward<NewKey, NewValue>
  private let allowed: Set<String>

  init(
    _ name: String, _ assembly: TaskAssembly, stores: [String],
    next: @escaping Forward<NewKey, NewValue>
  ) {
    self.name = name
    self.assembly = assembly
    timers = assembly.timers
    self.next = next
    record = assembly.context
    allowed = Set(stores)
  }

  /// Passes a record on.
  public func forward(_ key: NewKey, _ value: NewValue) throws { try next(key, value) }

  /// The task's instance of a declared store. Ask once, before the first record.
  public func store<Key: StoreKey, Row>(
    _ declaration: KeyValueDeclaration<Key, Row>
  ) -> KeyValueStore<Key, Row> {
    precondition(
      allowed.contains(declaration.name), "processor '\(name)' does not declare this store")
    guard let assembly else {
      preconditionFailure("processor '\(name)' asks for a store after its first record")
    }
    return assembly.store(declaration)
  }

  /// The record counts as applied: call it when a store was written.
  public func markApplied() { record.outcome.applied = true }

  /// Sets a timer of this processor for `key`; it fires once stream time reaches `time`, and
  /// survives restarts. The same key and time twice is one timer.
  public func schedule(_ key: String, at time: Timestamp) throws {
    try timers.set(name, key: Array(key.utf8), at: time)
    record.outcome.applied = true
  }

  public func cancelTimer(_ key: String, at time: Timestamp) throws {
    try timers.cancel(name, key: Array(key.utf8), at: time)
  }
}

extension StreamsBuilder {
  /// Declares a store for custom processors; operators of the DSL declare their own.
  @inlinable
  public func store<Key: StoreKey, Row>(
    named name: String, key: Key.Type, as serde: some Serde<Row>,
    layout: StoreLayout = .clustered, file: StaticString = #fileID, line: UInt = #line
  ) -> KeyValueDeclaration<Key, Row> {
    let location = "\(file):\(line)"
    let declaration = KeyValueDeclaration<Key, Row>(
      name, serde: serde, layout: layout, at: location)
    add(store: declaration, at: location)
    return declaration
  }
}

extension KStream {
  /// A custom processor with access to stores and timers.
  ///
  /// - Parameters:
  ///   - stores: names of the declared stores that it uses.
  ///   - firings: what becomes of its timers that fail to fire.
  ///   - make: called once a task, before the first record.
  public func process<NewKey, NewValue>(
    named name: String, stores: [String] = [], version: Int = 1,
    firings: FiringPolicies = FiringPolicies(), file: StaticString = #fileID, line: UInt = #line,
    _ make:
      @escaping @Sendable (ProcessorContext<NewKey, NewValue>) -> Processor<Key, Value>
  ) -> KStream<NewKey, NewValue> {
    let location = "\(file):\(line)"
    if let rekeyedBy, !stores.isEmpty {
      builder.report(
        "'\(name)' keeps state of records re-keyed by '\(rekeyedBy)': equal keys can lie in "
          + "different partitions, and this version has no repartition", at: location)
    }
    return attach(
      "process", named: name, rekeys: true, version: version, stores: stores,
      parameters: firings.parameters, isStateful: true, at: location
    ) { name, assembly, output in
      let next = assembly.output(of: output)
      let processor = make(ProcessorContext(name, assembly, stores: stores, next: next))
      if let onTimer = processor.onTimer {
        assembly.timers.add(
          TimerCallback(name: name, policies: firings, onTimer: onTimer), named: name)
      }
      return { key, value in try attempt(name) { try processor.process(key, value) } }
    }
  }
}

/// A processor's timer as the task calls it.
final class TimerCallback: TimerOperator {
  private let name: String
  let policies: SourcePolicies
  private let onTimer: (String, Timestamp) throws -> Void

  init(
    name: String, policies: FiringPolicies, onTimer: @escaping (String, Timestamp) throws -> Void
  ) {
    self.name = name
    self.policies = SourcePolicies(process: policies.process, produce: policies.produce)
    self.onTimer = onTimer
  }

  func fire(key: [UInt8], time: Timestamp) throws {
    try attempt(name) { try onTimer(String(decoding: key, as: UTF8.self), time) }
  }
}
