import StateStore
import Synchronization

extension Topology {
  /// Lineage of a store as it is kept beside the rows: its form, and all operators above it.
  ///
  /// State of another lineage is refused at start, with what differs.
  public func lineage(ofStore name: String) -> String {
    lineages.text(of: name) { storeLineage(of: name).text }
  }

  func storeLineage(of name: String) -> StoreLineage {
    let above = operators(above: name)
    let places = Dictionary(
      uniqueKeysWithValues: above.enumerated().map { ($1.id, $0 + 1) })
    let form = stores.first { $0.name == name }.map { store in
      StoreLineage.Part(
        "store",
        [
          .init("key", store.keyType), .init("row", store.rowType), .init("layout", store.layout),
        ])
    }
    return StoreLineage((form.map { [$0] } ?? []) + above.map { $0.lineage(places) })
  }

  /// What writes a store, what that reads, and so on up to the sources, in order of declaration:
  /// that is the order in which several consumers of one output are called.
  private func operators(above store: String) -> [OperatorSpec] {
    var above: Set<Int> = []
    var pending = operators.filter { $0.stores.contains(store) }.map(\.id)
    while let id = pending.popLast() {
      guard above.insert(id).inserted else { continue }
      pending += operators[id].inputs.map(\.id)
      // Another operator may write what this one reads of a store they share.
      for shared in operators[id].stores {
        pending += operators.filter { $0.stores.contains(shared) }.map(\.id)
      }
    }
    return above.sorted().map { operators[$0] }
  }
}

/// The texts of a topology's lineages, each made once.
final class LineageTexts: Sendable {
  private let texts = Mutex<[String: String]>([:])

  func text(of store: String, _ make: () -> String) -> String {
    if let known = texts.withLock({ $0[store] }) { return known }
    let text = make()
    texts.withLock { $0[store] = text }
    return text
  }
}

extension OperatorSpec {
  /// - Parameter places: those of the operators on the way to the store, from 1 on.
  fileprivate func lineage(_ places: [Int: Int]) -> StoreLineage.Part {
    var facts: [StoreLineage.Fact] = []
    if !inputs.isEmpty {
      let list = inputs.map { input in
        "\(places[input.id] ?? 0)" + (input.branch.map { "/\($0)" } ?? "")
      }
      facts.append(.init(StoreLineage.inputs, list.joined(separator: ", ")))
    }
    if !stores.isEmpty, stores != [name] {
      facts.append(.init("stores", stores.joined(separator: ", ")))
    }
    if case .processor = kind { facts.append(.init("version", String(version))) }
    facts += parameters.filter { $0.role != .incidental }.map {
      .init($0.name, $0.meaning, isPolicy: $0.role == .policy)
    }
    let ownName: String? =
      switch kind {
      case .source(let topic), .sink(let topic): topic
      case .processor: isStateful ? name : nil
      }
    return StoreLineage.Part(kind.word, named: ownName, facts)
  }
}
