/// What an environment says of one of its stores, for readers without the program that wrote it.
package struct StoreDescription: Hashable, Sendable {
  package enum Kind: String, Sendable {
    case keyValue, audit
  }

  package struct IndexDescription: Hashable, Sendable {
    package struct Component: Hashable, Sendable {
      package let name: String
      package let type: KeyType
      package let isDescending: Bool
    }
    package let name: String
    package let components: [Component]
  }

  package let name: String
  package let kind: Kind
  package let layout: StoreLayout
  package let keyTypes: [KeyType]
  /// The serde's name.
  package let rowType: String
  package let encoding: RowEncoding
  package let isPublished: Bool
  package let indexes: [IndexDescription]

  package init(
    name: String, kind: Kind, layout: StoreLayout, keyTypes: [KeyType], rowType: String,
    encoding: RowEncoding, isPublished: Bool, indexes: [IndexDescription]
  ) {
    self.name = name
    self.kind = kind
    self.layout = layout
    self.keyTypes = keyTypes
    self.rowType = rowType
    self.encoding = encoding
    self.isPublished = isPublished
    self.indexes = indexes
  }

  /// Whether the rows are kept alike; indexes and being a view are no part of that.
  func isSameStore(as other: StoreDescription) -> Bool {
    kind == other.kind && layout == other.layout && keyTypes == other.keyTypes
      && rowType == other.rowType && encoding == other.encoding
  }

  func with(indexes: [IndexDescription]) -> StoreDescription {
    StoreDescription(
      name: name, kind: kind, layout: layout, keyTypes: keyTypes, rowType: rowType,
      encoding: encoding, isPublished: isPublished, indexes: indexes)
  }

  /// The tables of a store.
  static func rowsTable(_ name: String) -> String { "rows \(name)" }
  static func auditTree(_ name: String) -> String { "tree \(name)" }
  static func indexTable(_ name: String, _ index: String) -> String { "index \(name) \(index)" }
  static func countsTable(_ name: String, _ index: String) -> String { "count \(name) \(index)" }

  var tables: [String] {
    [Self.rowsTable(name)] + (kind == .audit ? [Self.auditTree(name)] : [])
      + indexes.flatMap { [Self.indexTable(name, $0.name), Self.countsTable(name, $0.name)] }
  }

  /// Lines of `field<TAB>value…`, one or more a field.
  var text: String {
    var lines = [
      "kind\t\(kind.rawValue)", "layout\t\(layout.rawValue)",
      "key\t\(keyTypes.map(\.rawValue).joined(separator: "\t"))", "row\t\(rowType)",
      "encoding\t\(encoding.rawValue)", "published\t\(isPublished)",
    ]
    for index in indexes {
      let components = index.components.map {
        "\($0.name)\t\($0.type.rawValue)\t\($0.isDescending ? "descending" : "ascending")"
      }
      lines.append((["index", index.name] + components).joined(separator: "\t"))
    }
    return lines.joined(separator: "\n")
  }

  /// - Throws: ``StoreError`` with `corrupted`.
  init(name: String, text: String) throws(StoreError) {
    let damaged = StoreError(.corrupted, "the catalog's entry is damaged", store: name)
    var fields: [String: [String]] = [:]
    var indexes: [IndexDescription] = []
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      fields[parts[0]] = [String](parts.dropFirst())
      guard parts[0] == "index" else { continue }
      guard parts.count >= 5, parts.count % 3 == 2 else { throw damaged }
      var components: [IndexDescription.Component] = []
      for start in stride(from: 2, to: parts.count, by: 3) {
        guard let type = KeyType(rawValue: parts[start + 1]) else { throw damaged }
        components.append(
          IndexDescription.Component(
            name: parts[start], type: type, isDescending: parts[start + 2] == "descending"))
      }
      indexes.append(IndexDescription(name: parts[1], components: components))
    }
    var keyTypes: [KeyType] = []
    for type in fields["key"] ?? [] where !type.isEmpty {
      guard let type = KeyType(rawValue: type) else { throw damaged }
      keyTypes.append(type)
    }
    guard let kind = fields["kind"]?.first.flatMap(Kind.init(rawValue:)),
      let layout = fields["layout"]?.first.flatMap(StoreLayout.init(rawValue:)),
      let encoding = fields["encoding"]?.first.flatMap({ UInt8($0) })
        .flatMap(RowEncoding.init(rawValue:)),
      let rowType = fields["row"]?.first, let isPublished = fields["published"]?.first
    else { throw damaged }
    self.init(
      name: name, kind: kind, layout: layout, keyTypes: keyTypes, rowType: rowType,
      encoding: encoding, isPublished: isPublished == "true", indexes: indexes)
  }
}
