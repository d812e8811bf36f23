extension Library {
  /// Lists seen as sets, by CEL's equality (cel-go, ext/README.md, "Sets").
  public static let sets = Library(
    "sets",
    functions: [
      function("sets.contains") { left, right, budget in
        ValueSet(left).contains(all: right, &budget)
      },
      function("sets.equivalent") { left, right, budget in
        ValueSet(left).contains(all: right, &budget)
          && ValueSet(right).contains(all: left, &budget)
      },
      function("sets.intersects") { left, right, budget in
        ValueSet(left).contains(anyOf: right, &budget)
      },
    ])

  private static func function(
    _ name: String, _ body: @escaping @Sendable (ListValue, ListValue, inout Budget) -> Bool
  ) -> Function {
    let list = CELType.list(.parameter("T"))
    return Function(
      name,
      Overload(
        isMember: false, parameters: [list, list], result: .bool,
        implementation: Native.charging { (left: ListValue, right: ListValue, budget) in
          let result = body(left, right, &budget)
          return budget.remaining < 0 ? .error(Budget.exceeded) : .bool(result)
        }))
  }
}
