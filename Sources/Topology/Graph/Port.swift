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
  @inlinable
  func joined() -> Forward<Key, Value>? {
    let consumers = list
    switch consumers.count {
    case 0: return nil
    case 1: return consumers[0]
    case 2:
      let (first, second) = (consumers[0], consumers[1])
      return { key, value in
        try first(key, value)
        try second(key, value)
      }
    default:
      return { key, value in
        for consumer in consumers { try consumer(key, value) }
      }
    }
  }
}
