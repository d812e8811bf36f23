/// What an operator calls for each record it passes on.
public typealias Forward<Key, Value> = (_ key: Key, _ value: Value) throws -> Void

/// The typed place between an operator and those that consume its output; only its identity counts.
public final class Port<Key, Value>: Sendable {
  @inlinable
  init() {}
}

/// A typed list of consumers behind a port of one task.
///
/// Closures stay in a typed box: one with its type erased to `Any` does not survive the cast back
/// when a parameter's ownership is part of the type.
@usableFromInline
final class Consumers<Key, Value> {
  @usableFromInline var list: [Forward<Key, Value>] = []

  @inlinable
  init() {}

  /// All consumers as one call; with one consumer that consumer itself, without one `nil`.
  ///
  /// Each of several judges the record, for it is taken by all of them or by none: the gravest
  /// verdict counts.
  @inlinable
  func joined(_ context: RecordContext) -> Forward<Key, Value>? {
    let consumers = list
    if consumers.count < 2 { return consumers.first }
    return { key, value in
      var failure: ProcessingFailure?
      for consumer in consumers {
        do {
          try consumer(key, value)
        } catch let next as ProcessingFailure {
          failure = context.graver(failure, next)
        }
      }
      if let failure { throw failure }
    }
  }
}

extension RecordContext {
  @usableFromInline
  func graver(_ failure: ProcessingFailure?, _ next: ProcessingFailure) -> ProcessingFailure {
    failure?.joined(with: next, policies) ?? next
  }
}
