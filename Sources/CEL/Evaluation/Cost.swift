/// What evaluation costs: one for each node of a loop's body and for each call, and what arguments
/// are large. It depends on the values only, never on time.
enum Cost {
  /// Bytes of text that cost one.
  static let bytesPerUnit = 16

  @inline(__always)
  static func size(_ value: Value) -> Int {
    switch value {
    case .string(let text): text.utf8.count / bytesPerUnit
    case .bytes(let bytes): bytes.count / bytesPerUnit
    case .list(let list): list.count
    case .map(let map): map.count
    default: 0
    }
  }

  static func nodes(_ expression: Expression) -> Int {
    var count = 0
    expression.walk { _ in
      count += 1
      return true
    }
    return count
  }
}
