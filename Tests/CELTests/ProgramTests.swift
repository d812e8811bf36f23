import CEL
import Synchronization
import Testing

/// What a program offers its host: reads by number, limits, typed results.
struct ProgramTests {
  private static let order = ObjectType(
    "Order", fields: ["total": .double, "customer": .object("Customer"), "lines": .list(.dyn)])
  private static let customer = ObjectType("Customer", fields: ["id": .string, "vip": .bool])

  private func environment() throws -> Environment {
    try Environment(
      variables: ["order": .object("Order"), "event": .map(.string, .dyn), "n": .int],
      types: [Self.order, Self.customer])
  }

  @Test(
    "a program lists which fields of which variables it reads, each once",
    arguments: [
      ("order.total > 1.0 && order.total < 9.0", ["order.total"]),
      ("order.customer.id + event.type", ["order.customer.id", "event.type"]),
      ("event['a'].b['c'] == n", ["event.a.b.c", "n"]),
      ("has(event.a.b)", ["event.a.b"]), ("event.a[n]", ["event.a", "n"]),
      ("event.?a.b.orValue(1)", ["event"]), ("[1].exists(event, event == n)", ["n"]),
      ("order.lines.exists(l, l.sku == event.sku)", ["order.lines", "event.sku"]),
      ("event", ["event"]), ("1 + 1", []),
    ])
  func reads(text: String, reads: [String]) throws {
    #expect(try environment().compile(text).reads.map(\.description) == reads)
  }

  @Test("a read has the type that is declared for its field")
  func readTypes() throws {
    let program = try environment().compile("order.customer.vip && event.x == order.lines[0]")
    #expect(program.reads.map(\.type) == [.bool, .dyn, .list(.dyn)])
  }

  /// Counts what it is asked for.
  private final class Row: Bindings {
    var asked: [Int] = []
    func value(at slot: Int) -> Value? {
      asked.append(slot)
      return slot == 0 ? false : nil
    }
  }

  @Test("the host is asked only for what decides")
  func lazy() throws {
    let program = try environment().compile("order.customer.vip && event.x == 1")
    let row = Row()
    #expect(try !program.holds(row))
    #expect(row.asked == [0])
  }

  @Test("a missing field is an error, has() asks for it, and optionals replace it")
  func missing() throws {
    let environment = try environment()
    let event: [String: Value] = ["event": ["a": ["b": 1]]]
    #expect(try environment.compile("event.a.b == 1").result(event) == true)
    #expect(try environment.compile("event.a.c == 1").result(event).error?.code == .noSuchKey)
    #expect(try environment.compile("event.x.y == 1").result(event).error?.code == .noSuchKey)
    #expect(try environment.compile("has(event.a.c)").result(event) == false)
    #expect(try environment.compile("has(event.x.y)").result(event).error?.code == .noSuchKey)
    #expect(try environment.compile("event.?x.y.orValue(7)").result(event) == 7)
    #expect(try environment.compile("n + 1").result().error?.code == .host)
  }

  @Test("a value that is not of its declared type is an error that names the field")
  func wrongType() throws {
    let program = try environment().compile("order.total + 1.0")
    let error = program.result(["order": ["total": "1"]]).error
    #expect(
      error?.message == "order.total is declared as double, its value is of type string")
  }

  @Test(
    "what costs more than it may is stopped, whatever it is",
    arguments: [
      "event.l.all(x, event.l.all(y, event.l.all(z, true)))",
      "event.l.map(x, event.s + event.s).size() > 0",
      "event.l.map(x, event.l) == event.l.map(x, event.l)",
      "event.l.exists(x, event.s.contains(event.s + 'b'))",
    ])
  func costLimit(text: String) throws {
    let program = try environment().compile(text)
    let list = Value.list(ListValue((0..<40).map { .int($0) }))
    let text = Value.string(String(repeating: "a", count: 10_000))
    let variables: [String: Value] = ["event": ["l": list, "s": text]]
    #expect(program.result(variables, costLimit: 1000).error?.code == .costLimitExceeded)
    #expect(!program.result(variables).isError)
  }

  @Test("the cost of an evaluation does not depend on how often it ran")
  func cost() throws {
    let program = try environment().compile("[1, 2, 3].all(x, x > 0)")
    let least = (0..<200).first { !program.result(costLimit: $0).isError }
    #expect(least == 21)
    #expect((0..<200).first { !program.result(costLimit: $0).isError } == least)
  }

  @Test("results come as Swift types")
  func typed() throws {
    let environment = try environment()
    #expect(try environment.compile("1 + n").evaluate(["n": 2], as: Int64.self) == 3)
    #expect(try environment.compile("['a', 'b']").evaluate(as: [String].self) == ["a", "b"])
    #expect(try environment.compile("null").evaluate(as: String?.self) == nil)
    #expect(throws: EvaluationError.self) {
      try environment.compile("'1'").evaluate(as: Int64.self)
    }
  }

  @Test("an expression whose type is not the one that is expected is refused")
  func expecting() throws {
    let environment = try environment()
    #expect(try environment.compile("event.x", expecting: .bool).resultType == .dyn)
    let error = #expect(throws: CompileError.self) {
      try environment.compile("n + 1", expecting: .bool)
    }
    #expect(
      error.map { "\($0)" }?.hasPrefix("1:3: the expression is of type int, expected bool") == true)
    let result = #expect(throws: EvaluationError.self) {
      try environment.compile("1 + 1").evaluate(as: String.self)
    }
    #expect(result?.message == "the result is of type int, which is no String")
    let careless = Library(
      "careless", functions: [Function("careless", .global([.int], .int) { _ in .mismatch })])
    let mismatch = #expect(throws: EvaluationError.self) {
      try Environment(libraries: [.standard, careless]).compile("careless(1)").evaluate()
    }
    #expect(mismatch?.message == "an argument has the wrong type")
  }

  @Test("a program runs on several threads at once")
  func sendable() async throws {
    let program = try environment().compile("n * n")
    let squares = await withTaskGroup(of: Value.self) { group in
      for n in 0..<20 { group.addTask { program.result(["n": .int(Int64(n))]) } }
      return await group.reduce(into: Set<String>()) { $0.insert($1.description) }
    }
    #expect(squares == Set((0..<20).map { "\($0 * $0)" }))
  }

  private static func repeated(_ text: String, _ count: Int) -> String {
    String(repeating: text, count: count)
  }

  private static func joined(_ text: String, _ separator: String, _ count: Int) -> String {
    [String](repeating: text, count: count).joined(separator: separator)
  }

  private static let tooLargeTexts: [String] = [
    repeated("(", 90_000), repeated("[", 90_000), repeated("!", 90_000) + "true",
    repeated("-", 9000) + "n", joined("1", "+", 1000), "n" + repeated(".a", 1000),
    "n" + repeated("[0]", 1000), repeated("true ? 1 : ", 1000) + "1", repeated(" ", 100_001),
    repeated("[", 300) + "1" + repeated("].map(x, x)", 300),
  ]

  @Test(
    "deep nesting and long texts are errors, not a deep stack or a long wait",
    arguments: tooLargeTexts)
  func tooLarge(text: String) throws {
    #expect(throws: CompileError.self) { try environment().compile(text) }
  }

  private static let largeTexts: [String] = [
    joined("true", " && ", 500), joined("false", " || ", 500) + " || true",
    joined("1", " + ", 200) + " > 0", repeated("true ? true : ", 100) + "false",
    repeated("(", 100) + "true" + repeated(")", 100),
    "size([" + joined("1", ",", 5000) + "]) > 0",
  ]

  @Test(
    "what the specification asks an implementation to support at least is within the limits",
    arguments: largeTexts)
  func largeEnough(text: String) throws {
    #expect(try environment().compile(text).result() == true)
  }

  @Test("a text full of mistakes is answered soon, with the first hundred")
  func manyMistakes() throws {
    let environment = try environment()
    do {
      _ = try environment.compile("[" + Self.joined("nn", ",", 30_000) + "]")
      Issue.record("30,000 undeclared names were accepted")
    } catch {
      #expect(error.issues.count == 100)
    }
  }

  @Test("a type that doubles with each step is refused before it fills the memory")
  func largeType() throws {
    let environment = try Environment(libraries: [.standard, .bindings])
    let text = (0..<100).reduce("x") { text, _ in "cel.bind(x, {x: x}, \(text))" }
    let whole = "cel.bind(x, 1, \(text))"
    #expect {
      try environment.compile(whole)
    } throws: {
      "\($0)".contains("the type of the expression is too large")
    }
  }

  /// A list in a list, without end.
  private final class Nest: LazyList {
    let count = 1
    func element(at index: Int) -> Value { .list(ListValue(self)) }
  }

  @Test("values of a host that are nested without end are no deep stack")
  func endlessValue() throws {
    let program = try environment().compile("event.a == event.b")
    let nest = Value.list(ListValue(Nest()))
    #expect(
      program.result(["event": ["a": nest, "b": nest]]).error?.code == .costLimitExceeded)
  }

  /// The squares of 0, 1, 2 …, by their number or by name; remembers what it was asked for.
  private final class Squares: LazyList, LazyMap {
    let count: Int
    private let asked = Mutex<[Int]>([])
    init(_ count: Int) { self.count = count }

    var visited: [Int] { asked.withLock { $0 } }
    func element(at index: Int) -> Value {
      asked.withLock { $0.append(index) }
      return .int(Int64(index * index))
    }
    var keys: [Value] { (0..<count).map { .string("n\($0)") } }
    func value(forKey key: MapKey) -> Value? {
      guard case .string(let name) = key, let index = Int(name.string.dropFirst()), index < count
      else { return nil }
      return element(at: index)
    }
  }

  @Test(
    "a lazy list or map gives the elements that are asked for, no others",
    arguments: [
      ("event.list[3] == 9", [3]), ("event.list.exists(x, x == 4)", [0, 1, 2]),
      ("size(event.list) == 1000", []), ("event.map.n5 == 25", [5]), ("has(event.map.n7)", [7]),
      ("event.map['n2'] + event.map.n3 == 13", [2, 3]), ("!('n1000' in event.map)", []),
      ("event.map.exists(k, k == 'n999')", []),
      ("event.list.all(i, x, x < 4) == false", [0, 1, 2]),
    ])
  func lazyValues(text: String, visited: [Int]) throws {
    let environment = try Environment(
      variables: ["event": .map(.string, .dyn)], libraries: [.standard, .twoVariableMacros])
    let squares = Squares(1000)
    let event: [String: Value] = [
      "event": ["list": .list(ListValue(squares)), "map": .map(MapValue(squares))]
    ]
    #expect(try environment.compile(text).result(event) == true)
    #expect(squares.visited == visited)
  }
}
