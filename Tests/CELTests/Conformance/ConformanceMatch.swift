import CEL

/// Equality of results in the suite's sense: types count, maps have no order, NaN equals itself.
enum ConformanceMatch {
  static func matches(_ left: Value, _ right: Value) -> Bool {
    switch (left, right) {
    case (.double(let left), .double(let right)):
      return left == right || (left.isNaN && right.isNaN)
    case (.list(let left), .list(let right)):
      return left.count == right.count && zip(left, right).allSatisfy(matches)
    case (.map(let left), .map(let right)):
      return left.count == right.count
        && left.entries.allSatisfy { entry in
          right.entries.contains {
            matches($0.key, entry.key) && matches($0.value, entry.value)
          }
        }
    default:
      return left.type.runtimeName == right.type.runtimeName && left == right
    }
  }
}
