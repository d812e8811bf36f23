/// Fields and elements of values (cel-spec, "Field Selection", "List and Map Operators").
enum Selection {
  static func missing(_ field: String) -> Value {
    .error(.noSuchKey, "no such key: '\(field)'")
  }

  /// `value.field`; `nil` where the field is missing.
  static func value(of value: Value, _ field: String) -> Value? {
    switch value {
    case .map(let map): return map[field]
    case .object(let object): return object.field(field)
    case .optional(let optional):
      guard let inner = optional.value else { return .optional(.none) }
      let selected = Selection.value(of: inner, field)
      if let selected, selected.isError { return selected }
      return .optional(OptionalValue(selected))
    case .error: return value
    default: return .error(.noSuchOverload, "a value of type \(value.type) has no field '\(field)'")
    }
  }

  /// `has(value.field)`.
  static func presence(in value: Value, _ field: String) -> Value {
    if case .optional(let optional) = value {
      return optional.value.map { presence(in: $0, field) } ?? false
    }
    switch Selection.value(of: value, field) {
    case nil: return false
    case .error(let error)?: return .error(error)
    default: return true
    }
  }

  /// `value.?field`.
  static func optional(of value: Value, _ field: String) -> Value {
    switch Selection.value(of: value, field) {
    case nil: return .optional(.none)
    case .error(let error)?: return .error(error)
    case .optional(let inner)?:
      // Of an optional the result is one already; a field that holds one is wrapped.
      if case .optional = value { return .optional(inner) }
      return .optional(OptionalValue(.optional(inner)))
    case let selected?: return .optional(OptionalValue(selected))
    }
  }

  /// `value[key]`.
  static func element(of value: Value, at key: Value) -> Value {
    if case .optional(let optional) = value {
      guard let inner = optional.value else { return .optional(.none) }
      return optionalElement(of: inner, at: key)
    }
    return found(value, key) ?? notFound(value, key)
  }

  /// `value[?key]`.
  static func optionalElement(of value: Value, at key: Value) -> Value {
    if case .optional(let optional) = value {
      return optional.value.map { optionalElement(of: $0, at: key) } ?? .optional(.none)
    }
    guard let element = found(value, key) else { return .optional(.none) }
    return element.isError ? element : .optional(OptionalValue(element))
  }

  private static func found(_ value: Value, _ key: Value) -> Value? {
    switch value {
    case .list(let list):
      guard case .int(let index)? = MapKey(key).flatMap(Self.number) else {
        return .error(.noSuchOverload, "a list cannot be indexed by \(key)")
      }
      return index >= 0 && index < list.count ? list[Int(index)] : nil
    case .map(let map):
      guard let mapKey = MapKey(key) else {
        if case .double = key { return nil }
        return .error(.noSuchOverload, "a map has no keys of type \(key.type)")
      }
      return map[mapKey]
    case .error: return value
    default:
      return key.isError
        ? key : .error(.noSuchOverload, "a value of type \(value.type) cannot be indexed")
    }
  }

  private static func number(_ key: MapKey) -> Value? {
    if case .int(let index) = key { .int(index) } else { nil }
  }

  private static func notFound(_ value: Value, _ key: Value) -> Value {
    if case .list(let list) = value {
      return .error(.outOfRange, "index out of range: \(key) in a list of \(list.count)")
    }
    return .error(.noSuchKey, "no such key: \(key)")
  }
}
