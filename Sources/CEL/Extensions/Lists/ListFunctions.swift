/// The functions of the lists library.
enum ListFunctions {
  @Sendable static func distinct(_ list: ListValue, _ budget: inout Budget) -> Value {
    var seen = ValueSet()
    var result: [Value] = []
    for value in list where !seen.contains(value, &budget) {
      guard budget.remaining >= 0 else { return .error(Budget.exceeded) }
      seen.insert(value)
      result.append(value)
    }
    return .list(result)
  }

  static func flatten(_ list: ListValue, levels: Int64, _ budget: inout Budget) -> Value {
    guard levels >= 0 else {
      return .error(.invalidArgument, "flatten: the number of levels is negative, \(levels)")
    }
    var elements = list.elements
    var level: Int64 = 0
    while level < levels {
      var isFlat = true
      var flattened: [Value] = []
      for element in elements {
        if case .list(let inner) = element {
          guard budget.charge(inner.count) else { return .error(Budget.exceeded) }
          flattened += inner.elements
          isFlat = false
        } else {
          flattened.append(element)
        }
      }
      if isFlat { break }
      guard budget.charge(flattened.count) else { return .error(Budget.exceeded) }
      elements = flattened
      level += 1
    }
    return .list(elements)
  }

  @Sendable static func range(_ count: Int64, _ budget: inout Budget) -> Value {
    guard count >= 0 else {
      return .error(.invalidArgument, "lists.range: the number of elements is negative, \(count)")
    }
    guard budget.charge(Int(count)) else { return .error(Budget.exceeded) }
    return .list((0..<count).map(Value.int))
  }

  @Sendable static func slice(_ list: ListValue, _ start: Int64, _ end: Int64) -> Value {
    guard start >= 0, end <= Int64(list.count) else {
      return .error(
        .outOfRange, "slice: \(start) to \(end) is outside of a list of \(list.count) elements")
    }
    guard start <= end else {
      return .error(.outOfRange, "slice: the end \(end) lies before the start \(start)")
    }
    return .list(ListValue(Array(list[Int(start)..<Int(end)])))
  }

  /// Sorts `list` by `keys`, one for each element; equal ones keep their order.
  static func sort(_ list: ListValue, by keys: ListValue, _ budget: inout Budget) -> Value {
    let keys = keys.elements
    guard keys.count == list.count else { return .mismatch }
    guard let first = keys.first else { return .list(list) }
    for key in keys {
      if case .error = key { return key }
      switch key {
      case .int, .uint, .double, .bool, .duration, .timestamp, .string, .bytes, .decimal: break
      default:
        return .error(
          .invalidArgument, "sort: values of type \(key.type.runtimeName) have no order")
      }
      guard key.type == first.type else {
        return .error(
          .invalidArgument,
          "sort: values of types \(first.type.runtimeName) and \(key.type.runtimeName) are mixed")
      }
    }
    let rounds = Int.bitWidth - keys.count.leadingZeroBitCount
    guard budget.charge(keys.count * rounds) else { return .error(Budget.exceeded) }
    let indices = keys.indices.sorted { left, right in
      switch order(keys[left], keys[right]) {
      case .less: true
      case .greater: false
      default: left < right
      }
    }
    return .list(ListValue(indices.map { list[$0] }))
  }

  /// A total order: NaN comes before all numbers.
  private static func order(_ left: Value, _ right: Value) -> ValueOrder {
    guard let order = Value.order(left, right) else { return .equal }
    guard case .unordered = order, case .double(let left) = left, case .double(let right) = right
    else { return order }
    return left.isNaN ? (right.isNaN ? .equal : .less) : .greater
  }
}
