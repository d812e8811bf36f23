/// The types a source dispatches on, without their decoders.
@usableFromInline
struct EventTypeTable: Sendable {
  struct Entry: Sendable {
    let name: String
    let nameBytes: [UInt8]
    let version: Int
    /// Versions that an upcaster takes.
    let upcasts: Set<Int>
  }

  let entries: [Entry]
  let takesAny: Bool
  let unknownType: UnknownTypePolicy
  let unknownVersion: UnknownVersionPolicy

  /// The number of the handler of the context's event: -1 for the one of all other types, `nil`
  /// where there is none.
  ///
  /// - Throws: ``ProcessingFailure`` for an event without type, or of a version that no handler or
  ///   chain of upcasters takes.
  func handler(of context: RecordContext, _ batch: RawSpan) throws -> Int? {
    if context.envelope.eventType.isAbsent {
      throw ProcessingFailure(.decode, .decode, "eventType: is missing")
    }
    for index in entries.indices where context.isType(entries[index].nameBytes, batch) {
      if context.schemaVersion != entries[index].version {
        try check(context.schemaVersion, of: entries[index])
      }
      return index
    }
    return takesAny ? -1 : nil
  }

  private func check(_ version: Int, of entry: Entry) throws {
    let isKnown =
      version < entry.version
      && (version..<entry.version).allSatisfy(entry.upcasts.contains)
    if isKnown { return }
    throw ProcessingFailure(
      .decode, .unknownVersion,
      "\(entry.name) has schema version \(version); versions up to \(entry.version) are known",
      action: unknownVersion == .fail ? .fail : .deadLetter)
  }
}

/// An event source as it was declared; each task makes its own.
@usableFromInline
struct EventSourceDeclaration: Sendable {
  let topic: String
  let envelope: Envelope
  let eventTime: EventTime
  let policies: SourcePolicies
  let seenIDs: SeenIDRetention
  let idScope: String
  let types: EventTypeTable

  func makeResolver() -> EnvelopeResolver { EnvelopeResolver(envelope, scope: idScope) }

  /// What the document reader must find.
  @usableFromInline var paths: [[String]] { makeResolver().paths }
}
