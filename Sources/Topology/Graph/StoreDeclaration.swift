import StateStore
import StreamCore

/// A store as a topology declares it; each task opens its own.
@usableFromInline
protocol StoreDeclaration: AnyObject, Sendable {
  var name: String { get }
  var spec: StoreSpec { get }
  /// Opens the store in a task's state, before any operator is assembled.
  func register(in assembly: TaskAssembly) throws
  /// The entries a row has in the store's indexes, without its key.
  func indexEntries(ofRow bytes: [UInt8]) throws -> [(index: String, entry: [UInt8])]
}

/// A key-value store of typed rows.
public final class KeyValueDeclaration<Key: StoreKey, Row>: StoreDeclaration, @unchecked Sendable {
  // Mutated only while one builder declares the topology, before any task sees it.
  public let name: String
  @usableFromInline let serde: any Serde<Row>
  let layout: StoreLayout
  var indexes: [Index<Row>] = []
  var isPublished = false
  let location: String
  /// Opens the store; compiled where the types of key and row are known.
  private let open: Open

  @usableFromInline
  typealias Open =
    @Sendable (
      _ state: TaskState, _ indexes: [Index<Row>], _ isPublished: Bool
    ) throws -> KeyValueStore<Key, Row>

  @inlinable
  convenience init(
    _ name: String, serde: some Serde<Row>, layout: StoreLayout, at location: String
  ) {
    self.init(name, anySerde: serde, layout: layout, at: location) { state, indexes, isPublished in
      try state.keyValue(
        name, key: KeyCoder<Key>(), serde: serde, layout: layout, indexes: indexes,
        published: isPublished)
    }
  }

  @usableFromInline
  init(
    _ name: String, anySerde serde: any Serde<Row>, layout: StoreLayout, at location: String,
    _ open: @escaping Open
  ) {
    self.name = name
    self.serde = serde
    self.layout = layout
    self.location = location
    self.open = open
  }

  @usableFromInline
  var spec: StoreSpec {
    StoreSpec(
      name: name, keyType: Key.keyTypes.map(\.rawValue).joined(separator: ", "),
      rowType: serde.name, layout: layout.rawValue, indexes: indexes.map(\.signature),
      isPublished: isPublished)
  }

  @usableFromInline
  func register(in assembly: TaskAssembly) throws {
    let store = try open(assembly.state, indexes, isPublished)
    assembly.add(store: store, named: name)
  }
}

extension KeyValueDeclaration {
  @usableFromInline
  func indexEntries(ofRow bytes: [UInt8]) throws -> [(index: String, entry: [UInt8])] {
    guard !indexes.isEmpty else { return [] }
    let row = try serde.deserialize(bytes.span.bytes)
    return indexes.compactMap { index in index.entry(of: row).map { (index.name, $0) } }
  }
}

/// An audit trail: values in order of arrival, by aggregate and sequence number.
@usableFromInline
final class AuditDeclaration: StoreDeclaration {
  @usableFromInline let name: String

  @usableFromInline
  init(_ name: String) { self.name = name }

  @usableFromInline
  var spec: StoreSpec {
    StoreSpec(
      name: name, keyType: "string, integer", rowType: "json",
      layout: StoreLayout.rowNumbers.rawValue, indexes: [], isPublished: true)
  }

  @usableFromInline
  func register(in assembly: TaskAssembly) throws {
    assembly.add(store: try assembly.state.audit(name, published: true), named: name)
  }

  @usableFromInline
  func indexEntries(ofRow bytes: [UInt8]) -> [(index: String, entry: [UInt8])] { [] }
}

extension Index {
  /// As `byCustomer (customerId, createdAt desc)`.
  var signature: String {
    let fields = components.map { $0.isDescending ? "\($0.name) desc" : $0.name }
    return "\(name) (\(fields.joined(separator: ", ")))"
  }
}
