/// The signatures of the operators; the evaluator knows what they do.
enum Operators {
  private static let a = CELType.parameter("A")
  private static let b = CELType.parameter("B")

  static let functions: [Function] =
    [
      function(Operator.conditional, [([.bool, a, a], a)]),
      function(Operator.and, [([.bool, .bool], .bool)]),
      function(Operator.or, [([.bool, .bool], .bool)]),
      function(Operator.not, [([.bool], .bool)]),
      function(Operator.notStrictlyFalse, [([.bool], .bool)]),
      function(Operator.equal, [([a, a], .bool)]),
      function(Operator.notEqual, [([a, a], .bool)]),
      function(
        Operator.add,
        same([.int, .double, .uint, .string, .bytes, .list(a), .duration]) + [
          ([.timestamp, .duration], .timestamp), ([.duration, .timestamp], .timestamp),
        ]),
      function(
        Operator.subtract,
        same([.int, .double, .uint, .duration]) + [
          ([.timestamp, .timestamp], .duration), ([.timestamp, .duration], .timestamp),
        ]),
      function(Operator.multiply, same([.int, .double, .uint])),
      function(Operator.divide, same([.int, .double, .uint])),
      function(Operator.remainder, same([.int, .uint])),
      Function(Operator.negate, [negation(.int), negation(.double)]),
      function(
        Operator.index,
        [
          ([.list(a), .int], a), ([.map(a, b), a], b),
          ([.optional(.list(a)), .int], .optional(a)),
          ([.optional(.map(a, b)), a], .optional(b)),
        ]),
      function(
        Operator.optionalIndex,
        [
          ([.list(a), .int], .optional(a)), ([.map(a, b), a], .optional(b)),
          ([.optional(.list(a)), .int], .optional(a)),
          ([.optional(.map(a, b)), a], .optional(b)),
        ]),
      function(Operator.contained, [([a, .list(a)], .bool), ([a, .map(a, b)], .bool)]),
      append, insert,
    ]
    + [Operator.less, Operator.lessOrEqual, Operator.greater, Operator.greaterOrEqual].map {
      function(
        $0,
        [.int, .uint, .double, .bool, .string, .bytes, .timestamp, .duration].map {
          ([$0, $0], .bool)
        })
    }

  /// Overloads from two of a type to the same type.
  private static func same(_ types: [CELType]) -> [([CELType], CELType)] {
    types.map { ([$0, $0], $0) }
  }

  private static func function(_ name: String, _ signatures: [([CELType], CELType)]) -> Function {
    Function(
      name,
      signatures.map { parameters, result in
        var overload = Overload(
          isMember: false, parameters: parameters, result: result,
          implementation: .variadic { _ in .mismatch })
        overload.isBuiltIn = true
        return overload
      })
  }

  private static func negation(_ type: CELType) -> Overload {
    .global([type], type, cost: .constant) { Arithmetic.negate($0) ?? .mismatch }
  }

  private static let append = Function(
    Operator.append,
    .global([.list(a), a], .list(a)) { list, element in
      guard case .list(let list) = list else { return .mismatch }
      return .list(list.elements + [element])
    })

  private static let insert = Function(
    Operator.insert,
    .global([.map(a, b), a, b], .map(a, b)) { map, key, value in
      extended(map) { $0.insert(value, forKey: key) }
    },
    .global([.map(a, b), .map(a, b)], .map(a, b)) { map, entries in
      guard case .map(let entries) = entries else { return .mismatch }
      return extended(map) { builder in
        for (key, value) in entries.entries {
          if let error = builder.insert(value, forKey: key) { return error }
        }
        return nil
      }
    })

  private static func extended(
    _ map: Value, _ add: (inout MapBuilder) -> EvaluationError?
  ) -> Value {
    guard case .map(let map) = map else { return .mismatch }
    var builder = MapBuilder()
    for (key, value) in map.entries {
      if let error = builder.insert(value, forKey: key) { return .error(error) }
    }
    if let error = add(&builder) { return .error(error) }
    return .map(builder.finish())
  }
}
