public import StateStore
public import StreamCore

/// What a projection's handler makes of one event.
public enum ProjectionStep<Row> {
  /// The row as it is from now on.
  case put(Row)
  case delete
  /// The event says nothing about the row.
  case unchanged
  /// The event updates a row that is not there; the policy decides. `partial` is what
  /// ``MissingRowPolicy/upsert`` stores.
  case missing(partial: Row? = nil)
}

/// Checks the events of an aggregate for gaps, regressions and repeats of their sequence number, by
/// the policies `sequenceGap` and `sequenceRegression` of their source.
public struct SequenceCheck<Row>: Sendable {
  @usableFromInline let last: @Sendable (Row) -> Int64?
  @usableFromInline let first: Int64?

  /// - Parameters:
  ///   - first: the number with which every aggregate begins; without it the one that comes first.
  ///   - last: the sequence number of the last event applied to a row.
  public init(first: Int64? = nil, last: @escaping @Sendable (Row) -> Int64?) {
    self.first = first
    self.last = last
  }

  var parameters: [OperatorParameter] {
    [OperatorParameter("sequence", first.map { "from \($0)" } ?? "checked")]
  }
}

extension KStream where Key: StoreKey {
  /// A read model: one row an aggregate, kept up to date by `handler`.
  ///
  ///     events.project(named: "orders", as: JSONSerde<OrderReadModel>(), missing: .holdUntilCreated) {
  ///       row, event, context in
  ///       switch event {
  ///       case .created(let order): return .put(OrderReadModel(order))
  ///       case .confirmed:
  ///         guard var row else { return .missing() }
  ///         row.status = .confirmed
  ///         return .put(row)
  ///       }
  ///     }
  ///
  /// - Parameter missing: what becomes of an update of a row that is not there: it is held until the
  ///   row is created, unless another policy is given. A view behind an operator that drops records
  ///   has no default: it would hold what is not meant for it.
  @inlinable
  @discardableResult
  public func project<Row>(
    named name: String, as serde: some Serde<Row>, missing: MissingRowPolicy? = nil,
    sequence: SequenceCheck<Row>? = nil, version: Int = 1, layout: StoreLayout = .rowNumbers,
    file: StaticString = #fileID, line: UInt = #line,
    _ handler: @escaping @Sendable (Row?, Value, RecordContext) throws -> ProjectionStep<Row>
  ) -> KTable<Key, Row> {
    let location = "\(file):\(line)"
    let store = KeyValueDeclaration<Key, Row>(name, serde: serde, layout: layout, at: location)
    let missing = builder.missingRow(missing, of: name, reading: node, at: location)
    return attachStateful(
      "project", named: name, store: store,
      parameters: ProjectionParameters.list(missing: missing, sequence: sequence),
      version: version, at: location
    ) { name, assembly, store, next in
      let (context, sequences) = (assembly.context, assembly.sequences)
      assembly.probeRows(of: store, named: name, sequence: sequence)
      return { key, value in
        let slot = try attempt(name) { try store.slot(of: key) }
        // Moved out and in again: to copy a row is to count references all over the memory.
        var old = store.take(at: slot)
        let step: ProjectionStep<Row>
        do {
          if let sequence {
            if let number = context.sequenceNumber {
              var last: Int64?
              if let row = consume old {
                last = sequence.last(row)
                old = consume row
              } else {
                old = nil
              }
              try sequences.check(number, after: last, first: sequence.first, in: name)
            } else {
              context.countMissingSequence()
            }
          }
          step = try handler(old, value, context)
        } catch {
          store.putBack(consume old, at: slot)
          throw ProcessingFailure.wrapping(error, operatorName: name)
        }
        let existed = old != nil
        let before = next == nil ? nil : old
        switch consume step {
        case .put(let row):
          do {
            try store.put(consume row, at: slot, replacing: consume old)
          } catch {
            throw ProcessingFailure.wrapping(error, operatorName: name)
          }
          if !existed { context.rowCreated(by: name) }
        case .delete where existed:
          store.delete(at: slot, replacing: consume old)
        case .delete:
          return context.markApplied()
        case .unchanged:
          return store.putBack(consume old, at: slot)
        case .missing(let partial):
          store.putBack(consume old, at: slot)
          guard let row = try context.missingRow(partial, policy: missing, operatorName: name)
          else { return }
          try attempt(name) { try store.put(row, at: slot) }
          context.rowCreated(by: name)
        }
        context.markApplied()
        if let sequence, let row = store.row(at: slot) { sequences.note(row: sequence.last(row)) }
        if let next { try next(key, Change(old: before, new: store.row(at: slot))) }
      }
    }
  }

  /// An audit trail: every event kept, by aggregate and sequence number, published as a view.
  ///
  /// - Parameter encode: appends the row's bytes, as `query` prints them.
  @inlinable
  @discardableResult
  public func audit(
    named name: String, version: Int = 1, file: StaticString = #fileID, line: UInt = #line,
    _ encode: @escaping @Sendable (Key, Value, RecordContext, inout [UInt8]) throws -> Void
  ) -> KStream<Key, Value> where Key == String {
    let location = "\(file):\(line)"
    builder.add(store: AuditDeclaration(name), at: location)
    if let rekeyedBy {
      builder.report("'\(name)' audits records re-keyed by '\(rekeyedBy)'", at: location)
    }
    return attach(
      "audit", named: name, version: version, stores: [name], at: location
    ) { name, assembly, next in
      let (context, store) = (assembly.context, assembly.audit(named: name))
      var bytes: [UInt8] = []
      return { key, value in
        bytes.removeAll(keepingCapacity: true)
        try attempt(name) { try encode(key, value, context, &bytes) }
        try store.append(key: key, sequence: context.sequenceNumber, value: bytes.span.bytes)
        context.markApplied()
        try next(key, value)
      }
    }
  }
}

/// What the graph says of a projection.
@usableFromInline
enum ProjectionParameters {
  @usableFromInline
  static func list<Row>(
    missing: MissingRowPolicy, sequence: SequenceCheck<Row>?
  ) -> [OperatorParameter] {
    [.policy("missingRow", missing)] + (sequence?.parameters ?? [])
  }
}
