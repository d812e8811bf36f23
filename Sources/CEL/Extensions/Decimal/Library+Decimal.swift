import StreamCore

extension Library {
  /// Exact decimal numbers of at most 38 digits, with ints promoted to them.
  ///
  ///     decimal('0.10') + decimal('0.20') == decimal('0.3')
  ///     order.total.divide(3, 2)                   // to 2 digits, a half to the even neighbour
  ///     order.total.round(0, 'halfUp')
  ///
  /// A sum has the larger scale, a product the sum of both; a division names its scale. What does
  /// not fit into 38 digits is an error. Doubles mix with decimals in comparisons only.
  public static let decimal = Library(
    "decimal",
    functions: [
      Function(
        "decimal",
        .global([.string], .decimal, Native.body(DecimalFunctions.parse)),
        .global([.int], .decimal, Native.body { (value: Int64) in .decimal(Decimal(value)) }),
        .global([.uint], .decimal, Native.body(DecimalFunctions.fromUInt)),
        .global([.double], .decimal, Native.body(DecimalFunctions.fromDouble)),
        .global([.decimal], .decimal) { $0 }),
      Function("int", .global([.decimal], .int, Native.body(DecimalFunctions.int))),
      Function("uint", .global([.decimal], .uint, Native.body(DecimalFunctions.uint))),
      Function(
        "double",
        .global([.decimal], .double, Native.body { (value: Decimal) in .double(value.double) })),
      Function(
        "string",
        .global([.decimal], .string, Native.body { (value: Decimal) in .string(value.description) })
      ),
      arithmetic(Operator.add) { (left, right) throws(DecimalError) in try left + right },
      arithmetic(Operator.subtract) { (left, right) throws(DecimalError) in try left - right },
      arithmetic(Operator.multiply) { (left, right) throws(DecimalError) in try left * right },
      Function(
        Operator.negate,
        .global([.decimal], .decimal, Native.body { (value: Decimal) in .decimal(-value) })),
      equality(Operator.equal) { $0 == $1 },
      equality(Operator.notEqual) { $0 != $1 },
      Function(
        Operator.contained,
        .global(
          [.decimal, .list(.int)], .bool,
          Native.body { (value: Value, list: ListValue) in .bool(list.contains(value)) })),
      comparison(Operator.less, [.less]),
      comparison(Operator.lessOrEqual, [.less, .equal]),
      comparison(Operator.greater, [.greater]),
      comparison(Operator.greaterOrEqual, [.greater, .equal]),
      Function(
        "divide",
        .member([.decimal, .decimal, .int], .decimal, Native.body(DecimalFunctions.divide)),
        .member(
          [.decimal, .int, .int], .decimal,
          Native.body { DecimalFunctions.divide($0, Decimal($1 as Int64), $2) }),
        Overload(
          isMember: true, parameters: [.decimal, .decimal, .int, .string], result: .decimal,
          implementation: DecimalFunctions.divideRounding),
        Overload(
          isMember: true, parameters: [.decimal, .int, .int, .string], result: .decimal,
          implementation: DecimalFunctions.divideRounding)),
      Function(
        "round",
        .member(
          [.decimal, .int], .decimal,
          Native.body { DecimalFunctions.round($0, $1, "halfEven") }),
        .member([.decimal, .int, .string], .decimal, Native.body(DecimalFunctions.round))),
      Function(
        "scale",
        .member([.decimal], .int, Native.body { (value: Decimal) in .int(Int64(value.scale)) })),
      Function(
        "abs",
        .member(
          [.decimal], .decimal,
          Native.body { (value: Decimal) in .decimal(value.coefficient < 0 ? -value : value) })),
      Function(
        "sign",
        .member(
          [.decimal], .int,
          Native.body { (value: Decimal) in .int(Int64(value.coefficient.signum())) })),
    ],
    constants: [Constant("decimal", .type(.decimal), .type(.decimal))])

  private static func arithmetic(
    _ name: String,
    _ compute: @escaping @Sendable (Decimal, Decimal) throws(DecimalError) -> Decimal
  ) -> Function {
    Function(
      name,
      .global(
        [.decimal, .decimal], .decimal,
        Native.body { (left: Decimal, right: Decimal) in
          DecimalFunctions.result { () throws(DecimalError) in try compute(left, right) }
        }),
      .global(
        [.decimal, .int], .decimal,
        Native.body { (left: Decimal, right: Int64) in
          DecimalFunctions.result { () throws(DecimalError) in try compute(left, Decimal(right)) }
        }),
      .global(
        [.int, .decimal], .decimal,
        Native.body { (left: Int64, right: Decimal) in
          DecimalFunctions.result { () throws(DecimalError) in try compute(Decimal(left), right) }
        }))
  }

  /// The types that a decimal is compared with, on either side.
  private static let pairs: [(CELType, CELType)] = [.int, .uint, .double].flatMap { other in
    [(.decimal, other), (other, .decimal)]
  }

  /// Of two decimals equality is known without this library.
  private static func equality(
    _ name: String, _ compare: @escaping @Sendable (Value, Value) -> Bool
  ) -> Function {
    Function(
      name, pairs.map { left, right in .global([left, right], .bool) { .bool(compare($0, $1)) } })
  }

  private static func comparison(_ name: String, _ orders: Set<ValueOrder>) -> Function {
    Function(
      name,
      ([(.decimal, .decimal)] + pairs).map { left, right in
        .global([left, right], .bool) {
          .bool(Value.compareNumbers($0, $1).map(orders.contains) ?? false)
        }
      })
  }
}
