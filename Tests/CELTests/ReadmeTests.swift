import CEL
import StreamCore
import Testing

/// The code of the library's README and guide: what they show compiles and gives what they say.
struct ReadmeTests {
  @Test("the tour of the README gives the results that it states")
  func tour() throws {
    let environment = try Environment(
      variables: ["event": .map(.string, .dyn), "limit": .double],
      libraries: [.standard, .strings])
    let program = try environment.compile("event.amount > limit && event.type in ['A', 'B']")
    #expect(program.resultType == .bool)
    #expect(program.reads.map(\.description) == ["event.amount", "limit", "event.type"])
    let event: Value = ["amount": 120.5, "type": "A"]
    #expect(try program.evaluate(["event": event, "limit": 100.0], as: Bool.self))

    let mistake = """
      1:1: undeclared reference to 'evnet'; did you mean 'event'?
        evnet.amount > limit
        ^
      """
    #expect {
      try environment.compile("evnet.amount > limit")
    } throws: {
      "\($0)" == mistake
    }

    let ratio = try environment.compile("event.amount / limit > 2.0 || event.type == 'A'")
    #expect(ratio.result(["event": ["type": "A"], "limit": 1.0]) == true)
    #expect(
      ratio.result(["event": ["type": "B"], "limit": 1.0]).description
        == "error: no such key: 'amount'")
    #expect(try environment.compile("event.amount > 100.0").holds(Order()))

    let shop = Library(
      "shop",
      functions: [
        Function(
          "shop.vat",
          .global([.double], .double) { price in
            guard case .double(let price) = price else { return .mismatch }
            return .double(price * 0.19)
          })
      ])
    #expect(
      try Environment(libraries: [.standard, shop])
        .compile("shop.vat(100.0)").evaluate(as: Double.self) == 19.0)
  }

  private final class Order: Bindings {
    var amount = 120.5
    func value(at slot: Int) -> Value? { slot == 0 ? .double(amount) : nil }
  }

  @Test("the guide's records and decimals behave as it says")
  func guide() throws {
    let order = ObjectType("Order", fields: ["total": .double, "customer": .object("Customer")])
    let customer = ObjectType("Customer", fields: ["id": .string])
    let environment = try Environment(
      variables: ["order": .object("Order")], types: [order, customer])
    let program = try environment.compile("order.customer.id == 'c-1'", expecting: .bool)
    #expect(program.result(["order": ["customer": ["id": "c-1"]]]) == true)

    let exact = try Environment(
      variables: ["order": .map(.string, .dyn)], libraries: [.standard, .decimal],
      decimalLiterals: true)
    let sum = try exact.compile("order.net + order.net * 0.19 == 119.0")
    #expect(sum.result(["order": ["net": .decimal(Decimal(100))]]) == true)
    #expect(sum.result(["order": ["net": .int(100)]]) == true)
    #expect(try exact.compile("0.1 + 0.2 == 0.3").result() == true)
  }

  @Test("an operator on a library's own type is typed and computed")
  func ownType() throws {
    let money = CELType.opaque("shop.Money", [])
    let library = Library(
      "shop",
      functions: [
        Function(
          "shop.money",
          .global([.int], money) { cents in
            guard case .int(let cents) = cents else { return .mismatch }
            return .object(Money(cents))
          }),
        Function(
          Operator.add,
          .global([money, money], money) { left, right in
            guard case .object(let left as Money) = left, case .object(let right as Money) = right
            else { return .mismatch }
            return .object(Money(left.cents + right.cents))
          }),
      ], opaqueTypes: [money])
    let environment = try Environment(libraries: [.standard, library])
    let sum = try environment.compile("shop.money(1) + shop.money(2)")
    #expect(sum.resultType == money)
    #expect(sum.result() == .object(Money(3)))
    #expect(
      try environment.compile("dyn(shop.money(1)) + shop.money(2) == shop.money(3)").result()
        == true)
    #expect(try environment.compile("type(shop.money(1)) == shop.Money").result() == true)
    #expect(throws: CompileError.self) { try environment.compile("shop.money(1) + 1") }
  }

  private final class Money: ObjectValue {
    let cents: Int64
    init(_ cents: Int64) { self.cents = cents }
    var type: CELType { .opaque("shop.Money", []) }
    var description: String { "shop.money(\(cents))" }
    func isEqual(to other: any ObjectValue) -> Bool { (other as? Money)?.cents == cents }
  }
}
