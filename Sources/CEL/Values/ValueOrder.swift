/// How one value lies to another.
public enum ValueOrder: Sendable {
  case less, equal, greater
  /// A NaN is among them.
  case unordered

  @inlinable
  init<T: Comparable>(_ left: T, _ right: T) {
    self = left < right ? .less : left == right ? .equal : left > right ? .greater : .unordered
  }

  var reversed: ValueOrder {
    switch self {
    case .less: .greater
    case .greater: .less
    default: self
    }
  }
}
