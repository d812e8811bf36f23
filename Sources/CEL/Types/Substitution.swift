/// What the checker knows of types that are still open, and which type may be passed for which.
///
/// The rules are those of cel-go's checker, on which the conformance tests rest: `dyn` passes for
/// everything, and a type variable takes the most general of the types that it meets.
struct Substitution {
  private var bindings: [CELType?] = []

  mutating func fresh() -> CELType {
    bindings.append(nil)
    return .variable(bindings.count - 1)
  }

  /// `type` with variables replaced by what is known of them; with `isFinal`, unknown ones by `dyn`.
  func apply(_ type: CELType, isFinal: Bool = false) -> CELType {
    switch type {
    case .variable(let index):
      if let bound = bindings[index] { return apply(bound, isFinal: isFinal) }
      return isFinal ? .dyn : type
    case .list(let element): return .list(apply(element, isFinal: isFinal))
    case .map(let key, let value):
      return .map(apply(key, isFinal: isFinal), apply(value, isFinal: isFinal))
    case .type(let inner): return .type(apply(inner, isFinal: isFinal))
    case .opaque(let name, let parameters) where !parameters.isEmpty:
      return .opaque(name, parameters.map { apply($0, isFinal: isFinal) })
    default: return type
    }
  }

  /// `type` as far as its outermost constructor is known.
  func shallow(_ type: CELType) -> CELType {
    var type = type
    while case .variable(let index) = type, let bound = bindings[index] { type = bound }
    return type
  }

  /// Whether a type has more parts than any reader would follow: `{x: x}` over `{y: y}` and so on doubles them
  /// with each step.
  func isTooLarge(_ type: CELType) -> Bool {
    switch type {
    case .map, .opaque:
      var rest = Self.partsMax
      return !isWithin(&rest, type)
    default: return false
    }
  }

  private static let partsMax = 1000

  private func isWithin(_ rest: inout Int, _ type: CELType) -> Bool {
    rest -= 1
    guard rest >= 0 else { return false }
    switch shallow(type) {
    case .list(let element), .type(let element): return isWithin(&rest, element)
    case .map(let key, let value): return isWithin(&rest, key) && isWithin(&rest, value)
    case .opaque(_, let parameters):
      for parameter in parameters where !isWithin(&rest, parameter) { return false }
      return true
    default: return true
    }
  }

  /// Whether values of types `given` may be passed for `wanted`; if so, what that says of variables is kept.
  mutating func assign(_ given: [CELType], to wanted: [CELType]) -> Bool {
    let before = bindings
    for (given, wanted) in zip(given, wanted) where !isAssignable(given, wanted) {
      bindings = before
      return false
    }
    return true
  }

  mutating func assign(_ given: CELType, to wanted: CELType) -> Bool {
    let before = bindings
    guard !isAssignable(given, wanted) else { return true }
    bindings = before
    return false
  }

  /// The type of a literal's elements, of which one has type `previous` and one `next`.
  mutating func join(_ previous: CELType, _ next: CELType) -> CELType {
    assign(previous, to: next) ? mostGeneral(previous, next) : .dyn
  }

  private func mostGeneral(_ left: CELType, _ right: CELType) -> CELType {
    isAsGeneral(left, right) ? left : right
  }

  private func isAsGeneral(_ left: CELType, _ right: CELType) -> Bool {
    switch (left, right) {
    case (.dyn, _), (.error, _), (.variable, _): true
    case (_, .dyn), (_, .error), (_, .variable): false
    // Null stands for a value of the other type, where it may stand there at all.
    case (_, .null): true
    case (.null, _): false
    case (.list(let left), .list(let right)): isAsGeneral(left, right)
    case (.map(let leftKey, let leftValue), .map(let rightKey, let rightValue)):
      isAsGeneral(leftKey, rightKey) && isAsGeneral(leftValue, rightValue)
    case (.type, .type): true
    case (.opaque(let left, let leftParameters), .opaque(let right, let rightParameters)):
      left == right && leftParameters.count == rightParameters.count
        && zip(leftParameters, rightParameters).allSatisfy { isAsGeneral($0, $1) }
    default: left == right
    }
  }

  private mutating func isAssignable(_ given: CELType, _ wanted: CELType) -> Bool {
    switch (given, wanted) {
    case (_, .variable(let index)):
      if case .variable(index) = given { return true }
      if bindings[index] != nil { return rebind(index, to: given) }
      if bind(index, to: given) { return true }
      guard case .variable(let other) = given else { return false }
      return bindings[other] != nil ? rebind(other, to: wanted) : bind(other, to: wanted)
    case (.variable(let index), _):
      return bindings[index] != nil ? rebind(index, to: wanted) : bind(index, to: wanted)
    case (.dyn, _), (.error, _), (_, .dyn), (_, .error): return true
    case (.null, _): return isNullable(wanted)
    case (_, .null): return isNullable(given)
    case (.list(let given), .list(let wanted)): return isAssignable(given, wanted)
    case (.map(let givenKey, let givenValue), .map(let wantedKey, let wantedValue)):
      return isAssignable(givenKey, wantedKey) && isAssignable(givenValue, wantedValue)
    case (.type, .type): return true
    case (.opaque(let given, let givenParameters), .opaque(let wanted, let wantedParameters)):
      guard given == wanted, givenParameters.count == wantedParameters.count else { return false }
      for (given, wanted) in zip(givenParameters, wantedParameters)
      where !isAssignable(given, wanted) { return false }
      return true
    default: return given == wanted
    }
  }

  /// A variable that has a type already takes the more general of both.
  private mutating func rebind(_ index: Int, to type: CELType) -> Bool {
    guard let bound = bindings[index] else { return bind(index, to: type) }
    if bound == type { return true }
    guard isAssignable(type, bound) else { return false }
    let general = mostGeneral(type, bound)
    if !occurs(index, in: general) { bindings[index] = general }
    return true
  }

  private mutating func bind(_ index: Int, to type: CELType) -> Bool {
    guard !occurs(index, in: type) else { return false }
    bindings[index] = type
    return true
  }

  /// Whether a type contains a variable, so that binding it would make a type without end.
  private func occurs(_ index: Int, in type: CELType) -> Bool {
    switch type {
    case .variable(let other):
      other == index || bindings[other].map { occurs(index, in: $0) } ?? false
    case .list(let element): occurs(index, in: element)
    case .map(let key, let value): occurs(index, in: key) || occurs(index, in: value)
    case .type(let inner): occurs(index, in: inner)
    case .opaque(_, let parameters): parameters.contains { occurs(index, in: $0) }
    default: false
    }
  }

  /// Null may stand for times, abstract types and records, as it always could.
  private func isNullable(_ type: CELType) -> Bool {
    switch type {
    case .null, .timestamp, .duration, .opaque, .object: true
    default: false
    }
  }
}
