extension Checker {
  @inline(never)
  mutating func call(
    _ node: Expression, _ function: String, _ target: Expression?, _ arguments: [Expression]
  ) -> CELType {
    // `a.b.f(x)` may be a function of that name, which then has no target.
    if let target, let scope = qualifiedName(target),
      let candidates = candidates("\(scope).\(function)", isMember: false)
    {
      let types = arguments.map { check($0) }
      return resolve(
        node, "\(scope).\(function)", candidates, types, isMember: false, isQualified: true)
    }
    let types = ((target.map { [$0] } ?? []) + arguments).map { check($0) }
    guard let candidates = candidates(function, isMember: target != nil) else {
      return undeclared(node, function, types, isMember: target != nil)
    }
    return resolve(
      node, function, candidates, types, isMember: target != nil, isQualified: false)
  }

  private func candidates(_ name: String, isMember: Bool) -> [Candidate]? {
    for name in isMember ? [name] : declarations.candidates(name) {
      guard let all = declarations.functions[name] else { continue }
      let candidates = all.filter { $0.overload.isMember == isMember }
      if !candidates.isEmpty { return candidates }
    }
    return nil
  }

  @inline(never)
  private mutating func undeclared(
    _ node: Expression, _ function: String, _ types: [CELType], isMember: Bool
  ) -> CELType {
    if isDynamic {
      set(node, .undeclared(function))
      return .dyn
    }
    // An argument that is wrong already is mistake enough.
    if let other = declarations.functions[function] {
      let how =
        isMember ? "a global function: \(other[0].signature)" : "called as \(other[0].signature)"
      report(node, "'\(function)' is \(how)")
      return .error
    }
    let macros = declarations.macros[function] ?? []
    if let macro = macros.first {
      let count = macros.compactMap(\.arguments).map(String.init).joined(separator: " or ")
      let how = macro.isMember ? "on a target, " : ""
      report(
        node,
        "macro '\(function)' is called \(how)with \(count.isEmpty ? "other" : count) argument\(count == "1" ? "" : "s")"
      )
      return .error
    }
    let near = suggestion(
      function,
      among: declarations.functions.filter { $0.value[0].overload.isMember == isMember }.keys
        .filter { $0.utf8.first?.isLetter ?? false } + Array(declarations.macros.keys))
    report(node, "undeclared function '\(function)'\(near)")
    return .error
  }

  @inline(never)
  private mutating func resolve(
    _ node: Expression, _ function: String, _ candidates: [Candidate], _ types: [CELType],
    isMember: Bool, isQualified: Bool
  ) -> CELType {
    if isDynamic {
      let fitting = candidates.filter { $0.filters.count == types.count }
      set(node, .call(fitting, isQualified: isQualified))
      return .dyn
    }
    var chosen: [Candidate] = []
    var result: CELType?
    for candidate in candidates where candidate.overload.parameters.count == types.count {
      let (parameters, type) = candidate.instantiate(&substitution)
      guard substitution.assign(types, to: parameters) else { continue }
      chosen.append(candidate)
      let applied = substitution.apply(type)
      if let before = result {
        if before != .dyn, before != applied { result = .dyn }
      } else {
        result = applied
      }
    }
    guard let result else {
      return noOverload(node, function, candidates, types, isMember: isMember)
    }
    set(node, .call(chosen, isQualified: isQualified))
    return result
  }

  @inline(never)
  private mutating func noOverload(
    _ node: Expression, _ function: String, _ candidates: [Candidate], _ types: [CELType],
    isMember: Bool
  ) -> CELType {
    let shown = types.map { substitution.apply($0, isFinal: true).description }
    if function == Operator.conditional, types.count == 3 {
      report(
        node,
        substitution.assign(types[0], to: .bool)
          ? "the branches of '?:' have the types \(shown[1]) and \(shown[2]); they must be the same"
          : "the condition of '?:' has type \(shown[0]); it must be bool")
      return .error
    }
    if let (symbol, _) = Operator.binary[function], shown.count == 2 {
      report(
        node, "no operator '\(symbol)' takes \(shown[0]) and \(shown[1])\(hint(function, types))")
      return .error
    }
    if let symbol = [Operator.not: "!", Operator.negate: "-"][function], shown.count == 1 {
      report(node, "no operator '\(symbol)' takes \(shown[0])")
      return .error
    }
    if function == Operator.index || function == Operator.optionalIndex, shown.count == 2 {
      report(node, "a value of type \(shown[0]) cannot be indexed by \(shown[1])")
      return .error
    }
    let call =
      isMember
      ? "\(shown[0]).\(function)(\(shown.dropFirst().joined(separator: ", ")))"
      : "\(function)(\(shown.joined(separator: ", ")))"
    let known = candidates.prefix(4).map(\.signature).joined(separator: ", ")
    let more = candidates.count > 4 ? ", …" : ""
    report(node, "no overload matches \(call); there is \(known)\(more)")
    return .error
  }

  /// For numbers of two types, how to make them one.
  private func hint(_ function: String, _ types: [CELType]) -> String {
    let types = types.map(substitution.shallow)
    let numbers: [CELType] = [.int, .uint, .double]
    guard numbers.contains(types[0]), numbers.contains(types[1]), types[0] != types[1]
    else { return "" }
    return "; convert one of them, as in \(types.contains(.double) ? "double" : "int")(…)"
  }
}
