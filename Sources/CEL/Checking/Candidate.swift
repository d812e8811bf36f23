/// An overload as an environment holds it, ready to be matched.
final class Candidate: Sendable {
  let function: String
  let overload: Overload
  let filters: [ArgumentFilter]
  /// Names of type parameters, in the order of their first use.
  let typeParameters: [String]

  init(_ function: String, _ overload: Overload) {
    self.function = function
    self.overload = overload
    filters = overload.parameters.map(ArgumentFilter.init)
    var names: [String] = []
    for type in overload.parameters + [overload.result] { Self.collect(type, &names) }
    typeParameters = names
  }

  private static func collect(_ type: CELType, _ names: inout [String]) {
    switch type {
    case .parameter(let name): if !names.contains(name) { names.append(name) }
    case .list(let element): collect(element, &names)
    case .map(let key, let value):
      collect(key, &names)
      collect(value, &names)
    case .type(let inner): collect(inner, &names)
    case .opaque(_, let parameters): for parameter in parameters { collect(parameter, &names) }
    default: break
    }
  }

  /// The signature as error messages show it: `string.charAt(int)`.
  var signature: String {
    let parameters = overload.parameters.map(\.description)
    guard overload.isMember else {
      return "\(function)(\(parameters.joined(separator: ", ")))"
    }
    return "\(parameters[0]).\(function)(\(parameters.dropFirst().joined(separator: ", ")))"
  }

  /// Parameters and result with fresh variables for the type parameters.
  func instantiate(_ substitution: inout Substitution) -> (parameters: [CELType], result: CELType) {
    guard !typeParameters.isEmpty else { return (overload.parameters, overload.result) }
    let variables = typeParameters.map { (name: $0, type: substitution.fresh()) }
    return (
      overload.parameters.map { Self.replace($0, variables) },
      Self.replace(overload.result, variables)
    )
  }

  private static func replace(_ type: CELType, _ variables: [(name: String, type: CELType)])
    -> CELType
  {
    switch type {
    case .parameter(let name): variables.first { $0.name == name }?.type ?? type
    case .list(let element): .list(replace(element, variables))
    case .map(let key, let value): .map(replace(key, variables), replace(value, variables))
    case .type(let inner): .type(replace(inner, variables))
    case .opaque(let name, let parameters) where !parameters.isEmpty:
      .opaque(name, parameters.map { replace($0, variables) })
    default: type
    }
  }

  func accepts(_ arguments: [Value]) -> Bool {
    guard arguments.count == filters.count else { return false }
    for index in filters.indices where !filters[index].accepts(arguments[index]) { return false }
    return true
  }
}
