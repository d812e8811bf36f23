extension KStream {
  /// Sends each record to the first branch whose predicate it satisfies.
  ///
  ///     let bySize = orders.split(named: "by-size")
  ///       .branch("large") { $1.total > 1_000 }
  ///       .defaultBranch("small")
  ///     bySize["large"].to("large-orders", …)
  public func split(
    named name: String, file: StaticString = #fileID, line: UInt = #line
  ) -> BranchedKStream<Key, Value> {
    BranchedKStream(stream: self, name: name, location: "\(file):\(line)")
  }
}

/// A stream being split, in the manner of Kafka Streams' `BranchedKStream`.
public struct BranchedKStream<Key, Value> {
  typealias Predicate = @Sendable (Key, Value) throws -> Bool
  let stream: KStream<Key, Value>
  let name: String
  let location: String
  var branches: [(name: String, predicate: Predicate)] = []

  /// Takes the records that satisfy `predicate` and no earlier branch's.
  public func branch(
    _ name: String, _ predicate: @escaping @Sendable (Key, Value) throws -> Bool
  ) -> BranchedKStream {
    var split = self
    split.branches.append((name, predicate))
    return split
  }

  /// Takes the records that no branch took.
  public func defaultBranch(_ name: String) -> Branches<Key, Value> {
    finish(defaultName: name)
  }

  /// Drops the records that no branch took.
  public func noDefaultBranch() -> Branches<Key, Value> { finish(defaultName: nil) }

  private func finish(defaultName: String?) -> Branches<Key, Value> {
    let builder = stream.builder
    let names = branches.map(\.name) + (defaultName.map { [$0] } ?? [])
    for (branch, count) in names.counted() where count > 1 {
      builder.report("split '\(name)' has \(count) branches named '\(branch)'", at: location)
    }
    let ports = names.map { _ in Port<Key, Value>() }
    let predicates = branches.map(\.predicate)
    let (input, splitName) = (stream.port, name)
    let id = builder.add(
      .processor("split"), named: name, inputs: [stream.node],
      parameters: [
        OperatorParameter("branches", .list(names)),
        OperatorParameter("hasDefault", .flag(defaultName != nil)),
      ], at: location
    ) { assembly in
      let outputs = ports.map { assembly.output(of: $0) }
      assembly.attach(to: input) { key, value in
        for (index, predicate) in predicates.enumerated()
        where try attempt(splitName, { try predicate(key, value) }) {
          return try outputs[index](key, value)
        }
        if outputs.count > predicates.count { try outputs[predicates.count](key, value) }
      }
    }
    let streams = zip(names, ports).map { name, port in
      KStream(
        builder: builder, port: port, node: OperatorSpec.Input(id, branch: name),
        rekeyedBy: stream.rekeyedBy)
    }
    return Branches(
      split: name, location: location,
      streams: Dictionary(zip(names, streams), uniquingKeysWith: { first, _ in first }),
      none: KStream(
        builder: builder, port: Port(), node: OperatorSpec.Input(id), rekeyedBy: stream.rekeyedBy))
  }
}

/// The streams of a split by name.
public struct Branches<Key, Value> {
  let split: String
  let location: String
  let streams: [String: KStream<Key, Value>]
  let none: KStream<Key, Value>

  /// A branch's stream; a name that no branch has is reported by `build()`.
  public subscript(name: String) -> KStream<Key, Value> {
    if let stream = streams[name] { return stream }
    none.builder.report("split '\(split)' has no branch '\(name)'", at: location)
    return none
  }
}
