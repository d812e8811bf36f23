import CEL
import Testing

/// Any text and any values come to a result or to errors: nothing traps, nothing runs on.
struct FuzzTests {
  private static let environment: Environment = {
    do {
      return try Environment(
        variables: DifferentialResult.variables, libraries: LanguageHost.libraries + [.decimal])
    } catch {
      preconditionFailure("\(error)")
    }
  }()

  /// Compiles, and evaluates what compiles, at a bounded cost; whether it compiled.
  @discardableResult
  private func run(_ text: String, isChecked: Bool = true) -> Bool {
    do throws(CompileError) {
      let program =
        try isChecked
        ? Self.environment.compile(text) : Self.environment.compileUnchecked(text)
      _ = program.result(DifferentialResult.bindings, costLimit: 100_000)
      return true
    } catch {
      #expect(!error.issues.isEmpty)
      for issue in error.issues {
        #expect(!issue.message.isEmpty)
        #expect(issue.offset >= 0 && issue.offset <= text.utf8.count)
      }
      return false
    }
  }

  @Test("random bytes", arguments: 0..<20)
  func bytes(seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    for _ in 0..<500 {
      let count = Int.random(in: 0..<60, using: &random)
      let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      run(String(decoding: bytes, as: UTF8.self))
    }
  }

  private static let tokens = [
    "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "[?", ".?", "+", "-", "*", "/", "%", "!",
    "==", "!=", "<", "<=", ">", ">=",
    "&&", "||", " in ", "1", "2u", "1.5", "0x", "1e", "'a'", "\"", "'''", "b'", "r'", "\\", "true",
    "null", "x", "li", "m", "s",
    "size", "has", "map", "all", "exists", "cel.bind", "optional.of", "math.greatest", "//", "\n",
    "`", "@", "\u{0}", "é", "😀", "9223372036854775808", "for",
  ]

  @Test("random tokens", arguments: 0..<20)
  func tokens(seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    for index in 0..<500 {
      let count = Int.random(in: 1..<25, using: &random)
      let text = (0..<count).map { _ in Self.tokens.randomElement(using: &random) ?? "" }.joined()
      run(text, isChecked: index % 2 == 0)
    }
  }

  @Test("expressions with a few bytes changed", arguments: 0..<10)
  func mutations(seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    for index in 0..<200 {
      var generator = ExpressionGenerator(seed: UInt64(seed << 32 | index))
      var bytes = Array(generator.expression(depth: 3).utf8)
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0 where bytes.count > 1: bytes.remove(at: place)
        case 1: bytes[place] = UInt8.random(in: 0x20...0x7E, using: &random)
        case 2: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &random)], at: place)
        default:
          let token = Self.tokens.randomElement(using: &random) ?? ""
          bytes.replaceSubrange(place..<place, with: token.utf8)
        }
      }
      run(String(decoding: bytes, as: UTF8.self), isChecked: index % 3 != 0)
    }
  }

  @Test(
    "deep and long expressions",
    arguments: [
      ("(", "1", ")"), ("[", "1", "]"), ("{'a':", "1", "}"), ("!", "true", ""), ("-", "x", ""),
      ("- ", "1", ""),
      ("size(", "s", ")"), ("true?1:", "2", ""), ("true?", "1", ":2"), ("1+", "1", ""),
      ("true&&", "true", ""),
      ("true||", "true", ""), ("", "m", ".a"), ("", "li", "[0]"), ("", "s", ".trim()"),
      ("[1].map(v,", "v", ")"),
      ("[1].all(v,", "true", ")"), ("has(m.", "a", ")"), ("1 in [", "1", "]"), ("x<", "1", ""),
      ("cel.bind(a,", "1", ",a)"),
      ("optional.of(", "1", ")"), ("", "m", ".?a"), ("", "m", "[?'a']"), ("'a'+", "'b'", ""),
      ("{", "1", "}"), ("[?", "1", "]"),
      ("a{b:", "1", "}"), ("math.greatest(", "1", ")"), ("'%s'.format([", "1", "])"),
      ("li.sortBy(v,", "v", ")"), ("1,", "1", ""),
      ("`", "a", "`"), ("'", "", "'"), ("\\", "", ""), ("//\n", "1", ""),
    ])
  func nesting(prefix: String, middle: String, suffix: String) {
    for count in [10, 100, 1000, 10_000, 200_000] {
      let text =
        String(repeating: prefix, count: count) + middle + String(repeating: suffix, count: count)
      for isChecked in [true, false] { run(text, isChecked: isChecked) }
    }
  }

  private static let arguments = [
    "null", "true", "0", "-1", "9223372036854775807", "(-9223372036854775808)", "0u",
    "18446744073709551615u", "0.0",
    "(0.0 / 0.0)", "(1.0 / 0.0)", "-1e300", "''", "'a'", "'%s%.9f'", "'é\\u0301'", "'1h'",
    "'2023-01-01T00:00:00Z'", "'::1'", "'10.0.0.0/8'",
    "'('", "b''", "b'\\xff'", "[]", "[1, 'a', null]", "[1, 2]", "['a']", "{}", "{'a': 1}",
    "{1: 2, true: []}", "timestamp(0)",
    "timestamp('9999-12-31T23:59:59.999999999Z')", "duration('9223372036s')",
    "duration('-9223372036s')", "int", "optional.none()",
    "optional.of(1)", "decimal('0.5')", "decimal('99999999999999999999999999999999999999')",
    "ip('::')", "cidr('0.0.0.0/0')", "(1 / 0)",
  ]

  @Test("every function takes any values", arguments: 0..<3)
  func functions(seed: Int) {
    var random = SeededGenerator(seed: UInt64(seed))
    for function in (LanguageHost.libraries + [.decimal]).flatMap(\.functions) {
      for overload in function.overloads {
        for _ in 0..<30 {
          let values = overload.parameters.map { _ in
            "dyn(\(Self.arguments.randomElement(using: &random) ?? "null"))"
          }
          run(Self.call(function.name, overload.isMember, values), isChecked: false)
        }
      }
    }
  }

  /// A call as an expression writes it; empty where none can write it.
  private static func call(_ name: String, _ isMember: Bool, _ values: [String]) -> String {
    if let first = name.utf8.first, first != 0x5F, first != 0x40, first != 0x21, first != 0x2D {
      return isMember
        ? "\(values[0]).\(name)(\(values.dropFirst().joined(separator: ", ")))"
        : "\(name)(\(values.joined(separator: ", ")))"
    }
    switch name {
    case "!_": return "!\(values[0])"
    case "-_": return "-\(values[0])"
    case "@in": return "\(values[0]) in \(values[1])"
    case "_?_:_": return "\(values[0]) ? \(values[1]) : \(values[2])"
    case "_[_]": return "\(values[0])[\(values[1])]"
    case "_[?_]": return "\(values[0])[?\(values[1])]"
    default:
      guard name.hasPrefix("_"), name.hasSuffix("_") else { return "" }
      return "\(values[0]) \(name.dropFirst().dropLast()) \(values[1])"
    }
  }

  @Test("a result has the type that the checker computed, checked or not", arguments: 0..<10)
  func soundness(seed: Int) throws {
    for index in 0..<300 {
      var generator = ExpressionGenerator(seed: UInt64(seed << 32 | index))
      let text = generator.expression(depth: 1 + index % 4)
      let program = try Self.environment.compile(text)
      let result = program.result(DifferentialResult.bindings)
      if case .error(let error) = result {
        #expect(text.contains("dyn(") || error.code != .noSuchOverload, "\(text): \(error)")
      } else {
        #expect(program.resultType.admits(result), "\(text): \(result) is no \(program.resultType)")
      }
      let unchecked = try Self.environment.compileUnchecked(text)
        .result(DifferentialResult.bindings)
      #expect(
        ConformanceMatch.matches(unchecked, result) || (unchecked.isError && result.isError),
        "\(text): \(result), and without check \(unchecked)")
    }
  }

  @Test("what is printed of a tree comes to the same", arguments: 0..<5)
  func unparse(seed: Int) throws {
    for index in 0..<300 {
      var generator = ExpressionGenerator(seed: UInt64(seed << 32 | index))
      let text = generator.expression(depth: 1 + index % 4)
      let program = try Self.environment.compile(text)
      let printed = program.checked.root.description
      let again = try Self.environment.compile(printed)
      #expect(again.checked.root.description == printed)
      let (first, second) = (
        program.result(DifferentialResult.bindings), again.result(DifferentialResult.bindings)
      )
      #expect(
        ConformanceMatch.matches(first, second) || (first.isError && second.isError),
        "\(text) and \(printed)")
    }
  }

  @Test(
    "growth is stopped by the cost limit",
    arguments: [
      "lists.range(100000000).map(a, a).size()",
      "lists.range(100000).all(i, !'a'.matches('(a{0,300}){0,3}' + string(i)))",
      "lists.range(10000).all(a, lists.range(10000).all(b, lists.range(10000).all(c, true)))",
      "cel.bind(a, 'aaaaaaaaaa', cel.bind(b, a.replace('', a), cel.bind(c, b.replace('', b), cel.bind(d, c.replace('', c), d.replace('', d))))).size()",
      "[1, 2].map(a, [a, a]).map(a, [a, a]).map(a, [a, a]) == [] || lists.range(1000).map(a, lists.range(1000).map(b, lists.range(1000)))[0][0] == []",
      "lists.range(1000).map(a, string(a)).join(lists.range(100000).map(a, 'aaaaaaaaaaaaaaaa').join()).size()",
      "lists.range(3000).map(a, [a]).distinct().size()",
      "cel.bind(a, lists.range(1000), a.map(b, a).flatten().map(c, a).flatten().size())",
      "cel.bind(s, lists.range(100000).map(a, 'aaaaaaaaaa').join(), lists.range(1000).all(a, s.contains('ab') || s.matches('(a*)*b') || true))",
      "'%.1000f'.format([1.0]).size() == lists.range(1000000).map(a, '%.1000f'.format([1.0])).size()",
    ])
  func growth(expression: String) throws {
    let program = try Self.environment.compile(expression)
    let result = program.result(DifferentialResult.bindings, costLimit: 1_000_000)
    #expect(result.error?.code == .costLimitExceeded, "\(result)")
  }
}

extension CELType {
  /// Whether `value` is of this type, elements included.
  fileprivate func admits(_ value: Value) -> Bool {
    switch (self, value) {
    case (.dyn, _): true
    case (.list(let element), .list(let list)): list.allSatisfy(element.admits)
    case (.map(let key, let element), .map(let map)):
      map.entries.allSatisfy { key.admits($0.key) && element.admits($0.value) }
    default: runtimeName == value.type.runtimeName
    }
  }
}
