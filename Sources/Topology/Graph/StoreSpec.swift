/// What the graph knows of a store.
public struct StoreSpec: Hashable, Sendable {
  public let name: String
  /// Types of the key's components, as `string, integer`.
  public let keyType: String
  /// The serde's name.
  public let rowType: String
  /// How its rows lie, as `rowNumbers`.
  public let layout: String
  /// Each as `byCustomer (customerId, createdAt desc)`.
  public let indexes: [String]
  /// Whether it is a view, open to queries.
  public let isPublished: Bool
}
