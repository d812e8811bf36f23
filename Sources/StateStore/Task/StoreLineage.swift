/// What made a store's rows what they are: the store's form, and every operator above it.
///
/// It is kept beside the rows as text and compared with that of the program that opens them, so the
/// text says what has meaning and nothing else: no names of operators without state, no places in
/// the program, nothing of other branches. A line without indent begins a part, one with it is a
/// fact of the part, as `version: 2`, or, with `!` in place of `:`, a policy, as `decode! fail`.
package struct StoreLineage: Hashable, Sendable {
  package struct Fact: Hashable, Sendable {
    package let name: String
    package let value: String
    /// Of a policy that was `fail` any other may be made: it has let nothing pass.
    package let isPolicy: Bool

    package init(_ name: String, _ value: String, isPolicy: Bool = false) {
      self.name = name
      self.value = value
      self.isPolicy = isPolicy
    }
  }

  package struct Part: Hashable, Sendable {
    /// Of an operator its kind, as `filter`; of the store itself `store`.
    package let kind: String
    /// Of operators with state, and the topics of sources; `nil` for operators that are told by
    /// their place alone.
    package let name: String?
    package let facts: [Fact]

    package init(_ kind: String, named name: String? = nil, _ facts: [Fact]) {
      self.kind = kind
      self.name = name
      self.facts = facts
    }

    fileprivate var title: String { name.map { "\(kind) \($0)" } ?? kind }
  }

  /// The store first, then the operators, those above before those below.
  package let parts: [Part]

  /// The fact by which an operator names its inputs: places among the operators, from 1 on.
  package static let inputs = "inputs"

  package init(_ parts: [Part]) { self.parts = parts }

  // MARK: Text

  package var text: String {
    parts.map { part in
      let facts = part.facts.map {
        "  \(Self.escaped($0.name))\($0.isPolicy ? "!" : ":") \(Self.escaped($0.value))"
      }
      return ([Self.escaped(part.title)] + facts).joined(separator: "\n")
    }.joined(separator: "\n")
  }

  /// Reads any text: what no program of ours wrote differs from all that they write.
  package init(text: String) {
    var parts: [(title: String, facts: [Fact])] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
      if line.hasPrefix("  "), let mark = line.firstIndex(where: { $0 == ":" || $0 == "!" }),
        !parts.isEmpty
      {
        parts[parts.count - 1].facts.append(
          Fact(
            Self.unescaped(line[..<mark].dropFirst(2)),
            Self.unescaped(line[mark...].dropFirst(2)), isPolicy: line[mark] == "!"))
      } else {
        parts.append((Self.unescaped(line), []))
      }
    }
    self.parts = parts.map { part in
      let words = part.title.split(separator: " ", maxSplits: 1).map(String.init)
      return words.count == 2
        ? Part(words[0], named: words[1], part.facts) : Part(part.title, part.facts)
    }
  }

  private static func escaped(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 == 0x0a || $0 == 0x5c }) else { return text }
    return text.flatMap { $0 == "\n" ? "\\n" : $0 == "\\" ? "\\\\" : String($0) }
      .reduce(into: "") { $0.append($1) }
  }

  private static func unescaped(_ text: some StringProtocol) -> String {
    var result = ""
    var isEscape = false
    for character in text {
      if isEscape {
        result.append(character == "n" ? "\n" : character)
        isEscape = false
      } else if character == "\\" {
        isEscape = true
      } else {
        result.append(character)
      }
    }
    return result
  }

  // MARK: Comparison

  /// What `new` has otherwise, a phrase each; none where rows of this lineage are rows of the new.
  package func changes(to new: StoreLineage) -> [String] {
    let pairs = Self.aligned(parts.map(\.title), new.parts.map(\.title))
    // Where an operator came or went, the places of those below shifted: that says nothing.
    let comparesInputs = pairs.allSatisfy { $0.old != nil && $0.new != nil }
    return pairs.flatMap { pair -> [String] in
      switch (pair.old, pair.new) {
      case (let old?, let current?):
        let place = parts[old].kind == "store" ? "" : "\(new.phrase(current)): "
        return Self.changes(parts[old].facts, new.parts[current].facts, comparesInputs)
          .map { place + $0 }
      case (let old?, nil): return ["\(phrase(old)) is gone"]
      case (nil, let current?): return ["\(new.phrase(current)) is new"]
      case (nil, nil): return []
      }
    }
  }

  private static func changes(_ old: [Fact], _ new: [Fact], _ comparesInputs: Bool) -> [String] {
    var changes: [String] = []
    for fact in old where comparesInputs || fact.name != inputs {
      guard let other = new.first(where: { $0.name == fact.name }) else {
        changes.append("\(fact.name) was \(fact.value), is not given")
        continue
      }
      if other.value == fact.value || (fact.isPolicy && fact.value == "fail") { continue }
      changes.append("\(fact.name) was \(fact.value), is \(other.value)")
    }
    for fact in new where !old.contains(where: { $0.name == fact.name }) {
      if fact.name == inputs, !comparesInputs { continue }
      changes.append("\(fact.name) was not given, is \(fact.value)")
    }
    return changes
  }

  /// As a person names it: `aggregate 'counts'`, `filter behind source 'in'`.
  private func phrase(_ index: Int) -> String {
    let part = parts[index]
    if let name = part.name { return "\(part.kind) '\(name)'" }
    let places = part.facts.first { $0.name == Self.inputs }?.value ?? ""
    let above = places.split(separator: ",").compactMap { place -> String? in
      let digits = place.drop { $0 == " " }.prefix { $0.isNumber }
      guard let number = Int(digits), number < index, number > 0 else { return nil }
      let part = parts[number]
      return part.name.map { "\(part.kind) '\($0)'" } ?? part.kind
    }
    return above.isEmpty ? part.kind : "\(part.kind) behind \(above.joined(separator: " and "))"
  }

  /// Pairs of places with equal titles, in order, as many as there can be; `nil` beside the others.
  private static func aligned(
    _ old: [String], _ new: [String]
  ) -> [(old: Int?, new: Int?)] {
    // Lengths of the longest common subsequences of what follows each pair of places.
    var lengths = Array(
      repeating: Array(repeating: 0, count: new.count + 1), count: old.count + 1)
    for left in old.indices.reversed() {
      for right in new.indices.reversed() {
        lengths[left][right] =
          old[left] == new[right]
          ? lengths[left + 1][right + 1] + 1
          : max(lengths[left + 1][right], lengths[left][right + 1])
      }
    }
    var pairs: [(old: Int?, new: Int?)] = []
    var (left, right) = (0, 0)
    while left < old.count || right < new.count {
      if left < old.count, right < new.count, old[left] == new[right] {
        pairs.append((left, right))
        (left, right) = (left + 1, right + 1)
      } else if right == new.count
        || (left < old.count && lengths[left + 1][right] >= lengths[left][right + 1])
      {
        pairs.append((left, nil))
        left += 1
      } else {
        pairs.append((nil, right))
        right += 1
      }
    }
    return pairs
  }
}
