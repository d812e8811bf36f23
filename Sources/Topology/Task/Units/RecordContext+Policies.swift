import StreamCore

/// How an event's sequence number departs from the next one of its aggregate.
enum SequenceAnomaly {
  case gap, regression, repeated

  var counter: Counter {
    switch self {
    case .gap: .sequenceGap
    case .regression: .sequenceRegression
    case .repeated: .sequenceRepeat
    }
  }
}

extension RecordContext {
  /// Counts an anomaly and, where the policy says so, fails the record.
  func report(
    _ anomaly: SequenceAnomaly, number: Int64, after last: Int64, policy: SequencePolicy,
    operatorName: String
  ) throws {
    counters.count(anomaly.counter)
    let message = "sequence \(anomaly): \(number) after \(last) of aggregate"
    switch policy {
    case .ignore: return
    case .warn: warn("\(message) '\(aggregateID ?? "")' at \(topicPartition)@\(offset)")
    case .parkKey, .deadLetter, .fail:
      let action: ErrorPolicy =
        policy == .parkKey ? .parkKey : policy == .fail ? .fail : .deadLetter
      throw ProcessingFailure(
        .process, .sequence, message, operatorName: operatorName, action: action)
    }
  }

  /// What becomes of an update of a row that is not there.
  ///
  /// - Returns: the row to store, or `nil` to go on without one.
  @usableFromInline
  func missingRow<Row>(_ partial: Row?, policy: MissingRowPolicy, operatorName: String) throws
    -> Row?
  {
    switch policy {
    case .holdUntilCreated: throw HoldSignal(operatorName: operatorName)
    case .ignore:
      outcome.ignored = true
      counters.count(.ignoredMissingRow)
      return nil
    case .upsert:
      if let partial { return partial }
      throw ProcessingFailure(
        .process, .missingRow, "no row to update, and the handler gives no partial row to store",
        operatorName: operatorName, action: .deadLetter)
    case .deadLetter:
      throw ProcessingFailure(
        .process, .missingRow, "no row to update", operatorName: operatorName,
        action: .deadLetter)
    }
  }

  /// An event without a sequence number is not checked.
  @usableFromInline
  func countMissingSequence() { counters.count(.sequenceNone) }

  /// Held records of this key may follow, once the unit is done.
  @usableFromInline
  func rowCreated(by operatorName: String) {
    if hasHeldRecords { createdRows.append(operatorName) }
  }
}
