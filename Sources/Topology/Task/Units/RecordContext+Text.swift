extension RecordContext {
  /// A text of the envelope.
  public enum Text: Hashable, Sendable {
    case eventID, eventType, aggregateID, aggregateType, correlationID
  }

  /// Lends a text as UTF-8, without a copy where it stands in the record as it is.
  ///
  /// What a header holds may be no UTF-8.
  ///
  /// - Returns: what `body` returns; `nil` where the record has no such text.
  public func withText<Result>(
    _ text: Text, _ body: (RawSpan) throws -> Result
  ) rethrows -> Result? {
    if let range = range(of: text).range {
      let bytes = batch.bytes
      return try body(bytes.span.bytes.extracting(range))
    }
    guard let composed = string(text) else { return nil }
    let bytes = Array(composed.utf8)
    return try body(bytes.span.bytes)
  }

  private func range(of text: Text) -> FieldRange {
    switch text {
    case .eventID: envelope.eventID
    case .eventType: envelope.eventType
    case .aggregateID: envelope.aggregateID
    case .aggregateType: envelope.aggregateType
    case .correlationID: envelope.correlationID
    }
  }

  private func string(_ text: Text) -> String? {
    switch text {
    case .eventID: eventID
    case .eventType: eventType
    case .aggregateID: aggregateID
    case .aggregateType: aggregateType
    case .correlationID: correlationID
    }
  }
}
