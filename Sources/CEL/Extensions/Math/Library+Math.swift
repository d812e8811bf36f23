extension Library {
  /// Functions on numbers (cel-go, ext/README.md, "Math").
  public static let math = Library(
    "math", functions: extremes + rounding + signs + bits,
    macros: [
      extreme("greatest"), extreme("least"),
    ])

  /// `math.greatest(…)` and `math.least(…)` take any number of numbers, or one list of them.
  private static func extreme(_ name: String) -> Macro {
    Macro(name, isMember: true, arguments: nil) { target, arguments, builder throws(MacroError) in
      guard builder.isName(target, "math") else { return nil }
      guard !arguments.isEmpty else { throw MacroError("math.\(name) takes at least one number") }
      for argument in arguments {
        if case .list(let elements) = argument.kind, arguments.count == 1 {
          guard !elements.isEmpty else {
            throw MacroError("math.\(name) takes no empty list", at: argument)
          }
          for element in elements { try checkNumber(element.value, name) }
        } else {
          try checkNumber(argument, name)
        }
      }
      return arguments.count <= 2
        ? builder.call("math.\(name)", arguments: arguments)
        : builder.call("math.\(name)", builder.list(arguments))
    }
  }

  /// A literal that is no number, and a list or map among several arguments, is refused at once.
  private static func checkNumber(_ node: Expression, _ name: String) throws(MacroError) {
    switch node.kind {
    case .literal(.int), .literal(.uint), .literal(.double), .literal(.decimal): return
    case .literal, .list, .map, .message:
      throw MacroError("math.\(name) takes numbers only", at: node)
    default: return
    }
  }

  private static let extremes: [Function] = [
    extremes("math.greatest", keeps: .greater), extremes("math.least", keeps: .less),
  ]

  private static func extremes(_ name: String, keeps order: ValueOrder) -> Function {
    let numbers: [CELType] = [.int, .uint, .double]
    var overloads: [Overload] = []
    for type in numbers {
      overloads.append(.global([type], type) { $0 })
      overloads.append(
        .global(
          [.list(type)], type,
          Native.body { MathFunctions.extreme(of: $0, keeps: order) }))
      for other in numbers {
        overloads.append(
          .global([type, other], type == other ? type : .dyn) {
            MathFunctions.extreme($0, $1, keeps: order)
          })
      }
    }
    overloads.append(
      .global(
        [.list(.dyn)], .dyn, Native.body { MathFunctions.extreme(of: $0, keeps: order) }))
    return Function(name, overloads)
  }

  private static let rounding: [Function] =
    [
      ("math.ceil", FloatingPointRoundingRule.up), ("math.floor", .down),
      ("math.round", .toNearestOrAwayFromZero), ("math.trunc", .towardZero),
    ].map { name, rule in
      Function(
        name,
        .global([.double], .double, Native.body { (value: Double) in .double(value.rounded(rule)) })
      )
    } + [
      Function(
        "math.sqrt",
        .global([.double], .double, Native.body { (value: Double) in .double(value.squareRoot()) }),
        .global(
          [.int], .double, Native.body { (value: Int64) in .double(Double(value).squareRoot()) }),
        .global(
          [.uint], .double, Native.body { (value: UInt64) in .double(Double(value).squareRoot()) })),
      Function(
        "math.isNaN",
        .global([.double], .bool, Native.body { (value: Double) in .bool(value.isNaN) })),
      Function(
        "math.isInf",
        .global([.double], .bool, Native.body { (value: Double) in .bool(value.isInfinite) })),
      Function(
        "math.isFinite",
        .global([.double], .bool, Native.body { (value: Double) in .bool(value.isFinite) })),
    ]

  private static let signs: [Function] = [
    Function(
      "math.abs",
      .global([.int], .int, Native.body(MathFunctions.absolute)),
      .global([.uint], .uint) { $0 },
      .global([.double], .double, Native.body { (value: Double) in .double(value.magnitude) })),
    Function(
      "math.sign",
      .global([.int], .int, Native.body { (value: Int64) in .int(value.signum()) }),
      .global([.uint], .uint, Native.body { (value: UInt64) in .uint(value == 0 ? 0 : 1) }),
      .global(
        [.double], .double,
        Native.body { (value: Double) in
          .double(value > 0 ? 1 : value < 0 ? -1 : value.isNaN ? value : 0)
        })),
  ]

  private static let bits: [Function] = [
    bits("math.bitAnd", &, &), bits("math.bitOr", |, |), bits("math.bitXor", ^, ^),
    Function(
      "math.bitNot",
      .global([.int], .int, Native.body { (value: Int64) in .int(~value) }),
      .global([.uint], .uint, Native.body { (value: UInt64) in .uint(~value) })),
    shift("math.bitShiftLeft") { $0 << $1 },
    shift("math.bitShiftRight") { $0 >> $1 },
  ]

  private static func bits(
    _ name: String, _ signed: @escaping @Sendable (Int64, Int64) -> Int64,
    _ unsigned: @escaping @Sendable (UInt64, UInt64) -> UInt64
  ) -> Function {
    Function(
      name,
      .global(
        [.int, .int], .int, Native.body { (left: Int64, right: Int64) in .int(signed(left, right)) }
      ),
      .global(
        [.uint, .uint], .uint,
        Native.body { (left: UInt64, right: UInt64) in .uint(unsigned(left, right)) }))
  }

  /// Shifts the 64 bits; of an int, too, zeros come in from either side.
  private static func shift(
    _ name: String, _ shift: @escaping @Sendable (UInt64, Int64) -> UInt64
  ) -> Function {
    Function(
      name,
      .global(
        [.int, .int], .int,
        Native.body { (value: Int64, count: Int64) in
          guard count >= 0 else { return MathFunctions.negativeShift(name, count) }
          return .int(Int64(bitPattern: shift(UInt64(bitPattern: value), count)))
        }),
      .global(
        [.uint, .int], .uint,
        Native.body { (value: UInt64, count: Int64) in
          guard count >= 0 else { return MathFunctions.negativeShift(name, count) }
          return .uint(shift(value, count))
        }))
  }
}
