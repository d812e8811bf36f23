extension Library {
  /// Functions on lists (cel-go, ext/README.md, "Lists").
  public static let lists = Library(
    "lists",
    functions: [
      Function(
        "distinct",
        Overload(
          isMember: true, parameters: [list], result: list,
          implementation: Native.charging(ListFunctions.distinct))),
      Function(
        "flatten",
        // One level, so that the type is known: list(list(T)) would refuse [1, [2]].
        Overload(
          isMember: true, parameters: [.list(.dyn)], result: .list(.dyn),
          implementation: Native.charging { ListFunctions.flatten($0, levels: 1, &$1) }),
        Overload(
          isMember: true, parameters: [.list(.dyn), .int], result: .list(.dyn),
          implementation: Native.charging { ListFunctions.flatten($0, levels: $1, &$2) })),
      Function(
        "lists.range",
        Overload(
          isMember: false, parameters: [.int], result: .list(.int),
          implementation: Native.charging(ListFunctions.range))),
      Function(
        "reverse",
        .member(
          [list], list, Native.body { (list: ListValue) in .list(ListValue(list.reversed())) })),
      Function("slice", .member([list, .int, .int], list, Native.body(ListFunctions.slice))),
      Function(
        "sort",
        Overload(
          isMember: true, parameters: [list], result: list,
          implementation: Native.charging { ListFunctions.sort($0, by: $0, &$1) })),
      Function(
        sortByKeys,
        Overload(
          isMember: true, parameters: [list, .list(.parameter("K"))], result: list,
          implementation: Native.charging { ListFunctions.sort($0, by: $1, &$2) })),
    ],
    macros: [Macro("sortBy", isMember: true, arguments: 2, expand: sortBy)])

  private static let list = CELType.list(.parameter("T"))
  private static let sortByKeys = "@sortByAssociatedKeys"
  private static let sortByInput = "@sortByInput"

  /// `list.sortBy(x, key)` evaluates the list once, and each key once.
  @Sendable private static func sortBy(
    _ target: Expression?, _ arguments: [Expression], _ builder: inout MacroBuilder
  ) throws(MacroError) -> Expression? {
    guard let target else { return nil }
    let variable = try builder.variable(arguments[0])
    let keys = builder.fold(
      Comprehension(
        range: builder.identifier(sortByInput), variable: variable,
        accumulator: MacroBuilder.accumulator, initial: builder.list([]),
        condition: builder.literal(true),
        step: builder.call(
          Operator.append, builder.identifier(MacroBuilder.accumulator), arguments[1]),
        result: builder.identifier(MacroBuilder.accumulator)))
    let sorted = builder.memberCall(sortByKeys, on: builder.identifier(sortByInput), keys)
    return builder.bind(sortByInput, to: target, in: sorted)
  }
}
