/// Which values an overload's parameter takes, tested at run time.
struct ArgumentFilter: Sendable {
  private let tags: UInt32
  /// For objects and optionals, the name of their type.
  private let name: String?

  init(_ type: CELType) {
    switch type {
    case .opaque(CELType.optionalName, _):
      tags = 1 << Value.Tag.optional
      name = nil
    case .opaque(let name, _), .object(let name):
      // A record may also be a map.
      if case .object = type {
        tags = 1 << Value.Tag.object | 1 << Value.Tag.map
      } else {
        tags = 1 << Value.Tag.object
      }
      self.name = name
    case .dyn, .parameter, .variable, .error:
      tags = .max
      name = nil
    default:
      tags = 1 << Value.Tag.of(type)
      name = nil
    }
  }

  /// Whether any value passes.
  var acceptsAll: Bool { tags == .max }

  @inline(__always)
  func accepts(_ value: Value) -> Bool {
    guard tags & (1 << value.tag) != 0 else { return false }
    guard let name, case .object(let object) = value else { return true }
    return object.type.runtimeName == name
  }
}

extension Value {
  /// A number for each kind of value.
  enum Tag {
    static let optional: UInt32 = 12
    static let object: UInt32 = 14
    static let map: UInt32 = 8

    static func of(_ type: CELType) -> UInt32 {
      switch type {
      case .null: 0
      case .bool: 1
      case .int: 2
      case .uint: 3
      case .double: 4
      case .string: 5
      case .bytes: 6
      case .list: 7
      case .map: map
      case .timestamp: 9
      case .duration: 10
      case .type: 11
      case .decimal: 13
      default: 31
      }
    }
  }

  var tag: UInt32 {
    switch self {
    case .null: 0
    case .bool: 1
    case .int: 2
    case .uint: 3
    case .double: 4
    case .string: 5
    case .bytes: 6
    case .list: 7
    case .map: Tag.map
    case .timestamp: 9
    case .duration: 10
    case .type: 11
    case .optional: Tag.optional
    case .decimal: 13
    case .object: Tag.object
    case .error: 30
    }
  }
}
