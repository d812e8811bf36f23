import StreamCore

extension RecordContext {
  /// What becomes of an update of a row that is not there.
  ///
  /// - Returns: the row to store, or `nil` to go on without one.
  @usableFromInline
  func missingRow<Row>(_ partial: Row?, policy: MissingRowPolicy, operatorName: String) throws
    -> Row?
  {
    switch policy {
    case .holdUntilCreated: throw ProcessingFailure.held(.missingRow, by: operatorName)
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
