/// A map whose entries a host gives on demand, such as an object inside a parsed document.
public protocol LazyMap: AnyObject, Sendable {
  var count: Int { get }
  /// The value of `key`, or `nil` where there is none.
  func value(forKey key: MapKey) -> Value?
  /// All keys in the order in which they are visited, always the same.
  var keys: [Value] { get }
}

/// An immutable map: stored entries in the order of their insertion, or those of a ``LazyMap``.
public struct MapValue: Sendable {
  enum Storage: Sendable {
    case stored(StoredMap)
    case lazy(any LazyMap)
  }
  let storage: Storage

  public static let empty = MapBuilder().finish()

  init(_ stored: StoredMap) { storage = .stored(stored) }
  public init(_ map: any LazyMap) { storage = .lazy(map) }

  /// A map with text as keys, in the order of `entries`; of keys that come twice the first counts.
  public init(_ entries: some Sequence<(key: String, value: Value)>) {
    var builder = MapBuilder()
    for (key, value) in entries { _ = builder.insert(value, forKey: .string(key)) }
    self = builder.finish()
  }

  public var count: Int {
    switch storage {
    case .stored(let map): map.keys.count
    case .lazy(let map): map.count
    }
  }

  /// The keys, in the order in which a macro visits them.
  public var keys: [Value] {
    switch storage {
    case .stored(let map): map.keys
    case .lazy(let map): map.keys
    }
  }

  public subscript(key: MapKey) -> Value? {
    switch storage {
    case .stored(let map): map[key]
    case .lazy(let map): map.value(forKey: key)
    }
  }

  /// The value whose key equals `key`, numbers across their types; `nil` where there is none.
  public subscript(key: Value) -> Value? { MapKey(key).flatMap { self[$0] } }

  /// The value of a key that is text.
  public subscript(key: String) -> Value? { self[.string(MapKey.Text(key))] }

  /// Keys and values in the order of ``keys``.
  public var entries: [(key: Value, value: Value)] {
    switch storage {
    case .stored(let map): Array(zip(map.keys, map.values)).map { (key: $0, value: $1) }
    case .lazy(let map):
      map.keys.map { key in
        (key: key, value: MapKey(key).flatMap(map.value(forKey:)) ?? .null)
      }
    }
  }
}

/// The entries of a map that an expression or the host built.
final class StoredMap: Sendable {
  let keys: [Value]
  let values: [Value]
  /// Positions by key; empty for maps so small that looking at each key is faster.
  private let positions: [MapKey: Int]
  private let mapKeys: [MapKey]
  private static let scannedMax = 4

  init(keys: [Value], values: [Value], mapKeys: [MapKey]) {
    self.keys = keys
    self.values = values
    self.mapKeys = mapKeys
    positions =
      keys.count <= Self.scannedMax
      ? [:] : Dictionary(uniqueKeysWithValues: zip(mapKeys, mapKeys.indices))
  }

  subscript(key: MapKey) -> Value? {
    if keys.count <= Self.scannedMax {
      for index in mapKeys.indices where mapKeys[index] == key { return values[index] }
      return nil
    }
    return positions[key].map { values[$0] }
  }
}

/// Collects the entries of a map.
public struct MapBuilder {
  private var keys: [Value] = []
  private var values: [Value] = []
  private var mapKeys: [MapKey] = []
  private var seen: Set<MapKey> = []

  public init() {}

  public var count: Int { keys.count }

  /// Adds an entry.
  ///
  /// - Returns: an error where `key` is of no type that keys have, or is in the map already.
  public mutating func insert(_ value: Value, forKey key: Value) -> EvaluationError? {
    switch key {
    case .bool, .int, .uint, .string: break
    default:
      return EvaluationError(.invalidArgument, "a map's key cannot be of type \(key.type)")
    }
    guard let mapKey = MapKey(key) else {
      return EvaluationError(.invalidArgument, "a map's key cannot be of type \(key.type)")
    }
    guard seen.insert(mapKey).inserted else {
      return EvaluationError(.duplicateKey, "a map cannot have the key \(key.description) twice")
    }
    keys.append(key)
    values.append(value)
    mapKeys.append(mapKey)
    return nil
  }

  public func finish() -> MapValue {
    MapValue(StoredMap(keys: keys, values: values, mapKeys: mapKeys))
  }
}
