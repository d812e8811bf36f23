import CEL
import Testing

/// What each mistake in an expression is called, and where it is said to be.
struct CompileMessageTests {
  private static let variables: [String: CELType] = [
    "x": .int, "u": .uint, "f": .double, "b": .bool, "s": .string, "d": .dyn, "li": .list(.int),
    "m": .map(.string, .int), "customerId": .string, "limit": .int,
  ]
  private static let bindings: [String: Value] = ["m": ["a": 10]]

  @Test("texts that cannot be read", arguments: syntaxRows)
  func syntax(_ row: LanguageCase) { expectMessage(row) }

  @Test("macros, names and types that do not fit", arguments: checkRows)
  func check(_ row: LanguageCase) { expectMessage(row) }

  @Test("every mistake is shown with its line and a caret below its place")
  func carets() throws {
    let environment = try Environment(
      variables: ["total": .int, "customerId": .string], limits: ParserLimits(lengthMax: 1000))
    func text(_ expression: String, name: String = "") -> String {
      do {
        _ = try environment.compile(expression, name: name)
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(
      text("total > 1 &&\n  custmerId == 'a' && totl < 2", name: "orders.yaml") == """
        orders.yaml:2:3: undeclared reference to 'custmerId'; did you mean 'customerId'?
            custmerId == 'a' && totl < 2
            ^
        orders.yaml:2:23: undeclared reference to 'totl'; did you mean 'total'?
            custmerId == 'a' && totl < 2
                                ^
        """)
    #expect(
      text("'é😀' +\t1") == """
        1:6: no operator '+' takes string and int
          'é😀' +\t1
               ^
        """)
    #expect(
      text("total +\t* 1") == """
        1:9: unexpected '*', expecting an expression
          total +\t* 1
                 \t^
        """)
    #expect(text("") == "1:1: the expression ends too early, expecting an expression\n  \n  ^")
    #expect(
      text(String(repeating: "x", count: 1001)).hasPrefix(
        "1:1001: an expression of 1001 bytes; the most are 1000"))
    #expect(
      text(String(repeating: "[", count: 300)).hasPrefix(
        "1:251: the expression is nested deeper than 250 levels"))
  }

  @Test("an environment whose declarations contradict each other cannot be made")
  func environments() {
    func text(_ variables: [String: CELType], _ libraries: [Library]) -> String {
      do {
        _ = try Environment(variables: variables, libraries: libraries)
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(text(["1a": .int], [.standard]) == "a variable cannot be called '1a'")
    #expect(text(["a.": .int], [.standard]) == "a variable cannot be called 'a.'")
    let size = Function("size", .global([.string], .int) { $0 })
    #expect(
      text([:], [.standard, Library("mine", functions: [size])])
        == "function 'size(string)' is declared twice")
    let one = Constant("one", .int, 1)
    #expect(
      text([:], [Library("mine", constants: [one, one])]) == "constant 'one' is declared twice")
  }

  private func expectMessage(_ row: LanguageCase) {
    let result = LanguageHost.result(
      of: row.expression, libraries: LanguageHost.libraries + [.decimal],
      variables: Self.variables, bindings: Self.bindings)
    #expect(result == row.result)
  }

  static let syntaxRows = LanguageCase.table([
    (
      "x = 1",
      "1:3: unexpected character '='; to compare, write '=='"
    ),
    (
      "x & b",
      "1:3: unexpected character '&'; write '&&'"
    ),
    (
      "x | b",
      "1:3: unexpected character '|'; write '||'"
    ),
    (
      "#",
      "1:1: unexpected character '#'"
    ),
    (
      "1 +",
      "1:4: the expression ends too early, expecting an expression"
    ),
    (
      "(1",
      "1:3: the expression ends too early, expecting ')'"
    ),
    (
      "[1, 2",
      "1:6: the expression ends too early, expecting ',' or ']'"
    ),
    (
      "{1: 2",
      "1:6: the expression ends too early, expecting ',' or '}'"
    ),
    (
      "{1",
      "1:3: the expression ends too early, expecting ':'"
    ),
    (
      "{1 2}",
      "1:4: unexpected '2', expecting ':'"
    ),
    (
      "f(1, 2",
      "1:7: the expression ends too early, expecting ',' or ')'"
    ),
    (
      "size(1,)",
      "1:8: unexpected ')', expecting an expression"
    ),
    (
      "[1 2]",
      "1:4: unexpected '2', expecting ',' or ']'"
    ),
    (
      "li[0",
      "1:5: the expression ends too early, expecting ']'"
    ),
    (
      "1 2",
      "1:3: unexpected '2'"
    ),
    (
      "x.",
      "1:3: the expression ends too early, expecting a name"
    ),
    (
      "x.1",
      "1:2: unexpected '.1'"
    ),
    (
      "x ? 1",
      "1:6: the expression ends too early, expecting ':'"
    ),
    (
      "x ? 1 2",
      "1:7: unexpected '2', expecting ':'"
    ),
    (
      ".",
      "1:2: the expression ends too early, expecting a name"
    ),
    (
      ".1.",
      "1:4: the expression ends too early, expecting a name"
    ),
    (
      ")",
      "1:1: unexpected ')', expecting an expression"
    ),
    (
      "for + 1",
      "1:1: 'for' is a reserved word and cannot be a name"
    ),
    (
      "x.for.if",
      "1:3: type int has no fields"
    ),
    (
      "package(1)",
      "1:1: 'package' is a reserved word and cannot be a name"
    ),
    (
      "'abc",
      "1:1: a string is not closed"
    ),
    (
      #"'abc\"#,
      "1:1: a string is not closed"
    ),
    (
      "'''abc",
      "1:1: a string is not closed"
    ),
    (
      #""abc"#,
      "1:1: a string is not closed"
    ),
    (
      "b'abc",
      "1:2: a string is not closed"
    ),
    (
      #"'\s'"#,
      #"1:2: a backslash stands before no escape; for the character itself, write '\\'"#
    ),
    (
      #"'\x4'"#,
      "1:2: an escape needs 2 hexadecimal digits"
    ),
    (
      "m.`a#b`",
      "1:5: a quoted name cannot have '#'"
    ),
    (
      #"'\u12'"#,
      "1:2: an escape needs 4 hexadecimal digits"
    ),
    (
      #"'\U0000012'"#,
      "1:2: an escape needs 8 hexadecimal digits"
    ),
    (
      #"'\18'"#,
      "1:2: an escape needs 3 octal digits"
    ),
    (
      #"'\ud800'"#,
      "1:2: an escape stands for no code point"
    ),
    (
      #"'\U00110000'"#,
      "1:2: an escape stands for no code point"
    ),
    (
      #"b'\u0041'"#,
      #"1:3: bytes cannot have the escape \u"#
    ),
    (
      "9223372036854775808",
      "1:1: 9223372036854775808 is outside the range of int"
    ),
    (
      "-9223372036854775809",
      "1:1: -9223372036854775809 is outside the range of int"
    ),
    (
      "0xfffffffffffffffff",
      "1:1: 0xfffffffffffffffff is outside the range of int"
    ),
    (
      "18446744073709551616u",
      "1:1: 18446744073709551616u is outside the range of uint"
    ),
    (
      "-1u",
      "1:1: no operator '-' takes uint"
    ),
    (
      "`a b",
      "1:1: a quoted name is not closed"
    ),
    (
      "m.``",
      "1:3: a quoted name is empty"
    ),
    (
      "m.`a",
      "1:3: a quoted name is not closed"
    ),
  ])

  static let checkRows = LanguageCase.table([
    (
      "has(x)",
      "1:5: has() needs the selection of a field, such as has(a.b)"
    ),
    (
      "has(m)",
      "1:5: has() needs the selection of a field, such as has(a.b)"
    ),
    (
      "has(m['a'])",
      "1:6: has() needs the selection of a field, such as has(a.b)"
    ),
    (
      "has(1, 2)",
      "1:1: macro 'has' is called with 1 argument"
    ),
    (
      "[1].all(a.b, true)",
      "1:11: a variable must be a simple name"
    ),
    (
      "[1].map(1, 2)",
      "1:9: a variable must be a simple name"
    ),
    (
      "[1].exists(x)",
      "1:5: macro 'exists' is called on a target, with 2 or 3 arguments"
    ),
    (
      "[1].all(i, i, true)",
      "1:12: the two variables must have different names"
    ),
    (
      "[1].transformMap(i.a, v, 1)",
      "1:20: a variable must be a simple name"
    ),
    (
      "cel.bind(a.b, 1, 2)",
      "1:12: a variable must be a simple name"
    ),
    (
      "optional.of(1).optMap(1, 2)",
      "1:23: a variable must be a simple name"
    ),
    (
      "math.greatest()",
      "1:6: math.greatest takes at least one number"
    ),
    (
      "math.greatest('a')",
      "1:15: math.greatest takes numbers only"
    ),
    (
      "math.least([])",
      "1:12: math.least takes no empty list"
    ),
    (
      "math.least(1, [2])",
      "1:15: math.least takes numbers only"
    ),
    (
      "math.least([1, 'b'])",
      "1:16: math.least takes numbers only"
    ),
    (
      "li.sortBy(1, 2)",
      "1:11: a variable must be a simple name"
    ),
    (
      "custmerId > 1",
      "1:1: undeclared reference to 'custmerId'; did you mean 'customerId'?"
    ),
    (
      "lim",
      "1:1: undeclared reference to 'lim'; did you mean 'li'?"
    ),
    (
      "si",
      "1:1: undeclared reference to 'si'; did you mean 'li'?"
    ),
    (
      "sise('a')",
      "1:1: undeclared function 'sise'; did you mean 'size'?"
    ),
    (
      "'a'.startWith('b')",
      "1:5: undeclared function 'startWith'; did you mean 'startsWith'?"
    ),
    (
      "'a'.size(1, 2)",
      "1:5: no overload matches string.size(int, int); there is string.size(), bytes.size(), list(A).size(), map(A, B).size()"
    ),
    (
      "size()",
      "1:1: no overload matches size(); there is size(string), size(bytes), size(list(A)), size(map(A, B))"
    ),
    (
      "size(1)",
      "1:1: no overload matches size(int); there is size(string), size(bytes), size(list(A)), size(map(A, B))"
    ),
    (
      "startsWith('a', 'b')",
      "1:1: 'startsWith' is called as string.startsWith(string)"
    ),
    (
      "'a'.dyn()",
      "1:5: 'dyn' is a global function: dyn(A)"
    ),
    (
      "x.all",
      "1:3: type int has no fields"
    ),
    (
      "all(x, true)",
      "1:1: macro 'all' is called on a target, with 2 or 3 arguments"
    ),
    (
      "[1].all(true)",
      "1:5: macro 'all' is called on a target, with 2 or 3 arguments"
    ),
    (
      "1 + 1.5",
      "1:3: no operator '+' takes int and double; convert one of them, as in double(…)"
    ),
    (
      "1u + 1",
      "1:4: no operator '+' takes uint and int; convert one of them, as in int(…)"
    ),
    (
      "1 + 'a'",
      "1:3: no operator '+' takes int and string"
    ),
    (
      "1 == 'a'",
      "1:3: no operator '==' takes int and string"
    ),
    (
      "1 < 2u",
      "1:3: no operator '<' takes int and uint; convert one of them, as in int(…)"
    ),
    (
      "1 < 'a'",
      "1:3: no operator '<' takes int and string"
    ),
    (
      "'a' in ['a'] && 1 in ['a']",
      "1:19: no operator 'in' takes int and list(string)"
    ),
    (
      "!1",
      "1:1: no operator '!' takes int"
    ),
    (
      "-'a'",
      "1:1: no operator '-' takes string"
    ),
    (
      "-1u + 2u",
      "1:1: no operator '-' takes uint"
    ),
    (
      "1 ? 2 : 3",
      "1:3: the condition of '?:' has type int; it must be bool"
    ),
    (
      "true ? 1 : 'a'",
      "1:6: the branches of '?:' have the types int and string; they must be the same"
    ),
    (
      "true && 1",
      "1:6: no operator '&&' takes bool and int"
    ),
    (
      "1 || false",
      "1:3: no operator '||' takes int and bool"
    ),
    (
      "li['a']",
      "1:3: a value of type list(int) cannot be indexed by string"
    ),
    (
      "m[1]",
      "1:2: a value of type map(string, int) cannot be indexed by int"
    ),
    (
      "x[0]",
      "1:2: a value of type int cannot be indexed by int"
    ),
    (
      "li[?'a']",
      "1:3: a value of type list(int) cannot be indexed by string"
    ),
    (
      "x.y",
      "1:3: type int has no fields"
    ),
    (
      "li.y",
      "1:4: type list(int) has no fields"
    ),
    (
      "{1: 2}.y",
      "1:8: a map with keys of type int has no field 'y'"
    ),
    (
      "x.y()",
      "1:3: undeclared function 'y'"
    ),
    (
      "[?1]",
      "1:3: '?' stands before a value of type int, which is not optional"
    ),
    (
      "{?'a': 1}",
      "1:8: '?' stands before a value of type int, which is not optional"
    ),
    (
      "x{a: 1}",
      "1:1: there are no message types here: 'x' cannot be built"
    ),
    (
      "a.b.C{}",
      "1:5: there are no message types here: 'a.b.C' cannot be built"
    ),
    (
      "google.protobuf.Int32Value{value: 1}",
      "1:17: there are no message types here: 'google.protobuf.Int32Value' cannot be built"
    ),
    (
      "1.all(x, true)",
      "1:1: a value of type int has no elements; a list or map does"
    ),
    (
      "[1].all(x, 1)",
      "1:5: no operator '&&' takes bool and int"
    ),
    (
      "[1].filter(x, 'a')",
      "1:5: the condition of '?:' has type string; it must be bool"
    ),
    (
      "[1].map(x, y0)",
      "1:12: undeclared reference to 'y0'"
    ),
    (
      "custmerId + lim",
      "1:1: undeclared reference to 'custmerId'; did you mean 'customerId'?; 1:13: undeclared reference to 'lim'; did you mean 'li'?"
    ),
    (
      "string([])",
      "1:1: no overload matches string(list(dyn)); there is string(string), string(bool), string(int), string(uint), …"
    ),
    (
      "timestamp(1.5)",
      "1:1: no overload matches timestamp(double); there is timestamp(timestamp), timestamp(int), timestamp(string)"
    ),
    (
      "'a' * 2",
      "1:5: no operator '*' takes string and int"
    ),
    (
      "x.matches('a')",
      "1:3: no overload matches int.matches(string); there is string.matches(string)"
    ),
    (
      "'é' + 1 + x",
      "1:5: no operator '+' takes string and int"
    ),
    (
      "isIP(cidr('10.0.0.0/8'))",
      "1:1: no overload matches isIP(net.CIDR); there is isIP(string)"
    ),
    (
      "decimal('1') / 2",
      "1:14: no operator '/' takes decimal and int"
    ),
  ])
}
