import Testing

@testable import StateStore

/// DESIGN, "Lineage": what is kept beside a store is text that programs of other versions compare.
@Suite struct StoreLineageTests {
  private static func lineage(_ lines: String...) -> StoreLineage {
    StoreLineage(text: lines.joined(separator: "\n"))
  }

  private static let old = lineage(
    "store", "  key: string", "  row: json Int64", "source in", "  decode! fail",
    "  process! skip", "filter", "  inputs: 1", "aggregate sums", "  inputs: 2")

  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let new: StoreLineage
    let changes: [String]

    init(_ description: String, _ lines: [String], _ changes: [String]) {
      testDescription = description
      new = StoreLineage(text: lines.joined(separator: "\n"))
      self.changes = changes
    }
  }

  @Test(
    "changes are told by part and fact",
    arguments: [
      Case(
        "none",
        [
          "store", "  key: string", "  row: json Int64", "source in", "  decode! fail",
          "  process! skip", "filter", "  inputs: 1", "aggregate sums", "  inputs: 2",
        ], []),
      Case(
        "the row's serde, a version, a policy that was `fail`, one that was not",
        [
          "store", "  key: string", "  row: json Double", "source in", "  decode! skip",
          "  process! fail", "filter", "  inputs: 1", "  version: 2", "aggregate sums",
          "  inputs: 2",
        ],
        [
          "row was json Int64, is json Double", "source 'in': process was skip, is fail",
          "filter behind source 'in': version was not given, is 2",
        ]),
      Case(
        "an operator between, which moves the places of those below",
        [
          "store", "  key: string", "  row: json Int64", "source in", "  decode! fail",
          "  process! skip", "mapValues", "  inputs: 1", "filter", "  inputs: 2",
          "aggregate sums", "  inputs: 3",
        ], ["mapValues behind source 'in' is new"]),
      Case(
        "an operator away",
        [
          "store", "  key: string", "  row: json Int64", "source in", "  decode! fail",
          "  process! skip", "aggregate sums", "  inputs: 1",
        ], ["filter behind source 'in' is gone"]),
      Case(
        "another kind and name",
        [
          "store", "  key: string", "  row: json Int64", "source in", "  decode! fail",
          "  process! skip", "filter", "  inputs: 1", "reduce totals", "  inputs: 2",
        ], ["aggregate 'sums' is gone", "reduce 'totals' is new"]),
      Case(
        "an input of another operator",
        [
          "store", "  key: string", "  row: json Int64", "source in", "  decode! fail",
          "  process! skip", "filter", "  inputs: 1", "aggregate sums", "  inputs: 1",
        ], ["aggregate 'sums': inputs was 2, is 1"]),
      Case(
        "a fact that is no more",
        [
          "store", "  key: string", "source in", "  decode! fail", "  process! skip", "filter",
          "  inputs: 1", "aggregate sums", "  inputs: 2",
        ], ["row was json Int64, is not given"]),
    ])
  func changes(_ each: Case) {
    #expect(Self.old.changes(to: each.new) == each.changes)
  }

  @Test("text is read as it was written, whatever names hold")
  func text() {
    let lineage = StoreLineage([
      .init("store", [.init("row", "two\nlines\\ and ! and : marks")]),
      .init("source", named: "in", [.init("decode", "", isPolicy: true)]),
      .init("filter", []),
    ])
    #expect(StoreLineage(text: lineage.text) == lineage)
    #expect(
      lineage.text == """
        store
          row: two\\nlines\\\\ and ! and : marks
        source in
          decode! 
        filter
        """)
  }

  @Test(
    "any text is read, and differs from all that is not it", arguments: ["", "v1", "  a: b", "x"])
  func foreign(text: String) {
    #expect(StoreLineage(text: text).changes(to: StoreLineage(text: text)) == [])
    #expect(!Self.old.changes(to: StoreLineage(text: text)).isEmpty)
  }
}
