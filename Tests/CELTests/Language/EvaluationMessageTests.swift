import CEL
import Testing

/// What each failure of an evaluation is called.
struct EvaluationMessageTests {
  private static let variables: [String: CELType] = [
    "x": .int, "u": .uint, "f": .double, "b": .bool, "s": .string, "d": .dyn, "li": .list(.int),
    "m": .map(.string, .int), "customerId": .string, "limit": .int,
  ]
  private static let bindings: [String: Value] = ["m": ["a": 10]]

  @Test("an evaluation that fails says why", arguments: rows)
  func message(_ row: LanguageCase) {
    let result = LanguageHost.result(
      of: row.expression, libraries: LanguageHost.libraries + [.decimal],
      variables: Self.variables, bindings: Self.bindings)
    #expect(result == row.result)
  }

  @Test("a host's values that do not fit their declarations say so")
  func hosts() throws {
    let program = try Environment(variables: ["x": .int, "m": .map(.string, .int)])
      .compile("x + m.a")
    func message(_ bindings: [String: Value]) -> String? { program.result(bindings).error?.message }
    #expect(message(["x": 1, "m": ["a": 2]]) == nil)
    #expect(message(["m": ["a": 2]]) == "variable 'x' has no value")
    #expect(
      message(["x": "1", "m": ["a": 2]]) == "x is declared as int, its value is of type string")
    #expect(message(["x": 1, "m": ["b": 2]]) == "no such key: 'a'")
    #expect(
      message(["x": 1, "m": ["a": "2"]]) == "m.a is declared as int, its value is of type string")
    #expect(message(["x": 1, "m": 2]) == "a value of type int has no field 'a'")
  }

  static let rows = LanguageCase.table([
    (
      "1 / 0",
      "error: division by zero"
    ),
    (
      "1u % 0u",
      "error: modulus by zero"
    ),
    (
      "9223372036854775807 + 1",
      "error: integer overflow"
    ),
    (
      "-(-9223372036854775808)",
      "error: integer overflow"
    ),
    (
      "dyn(1) + 1.0",
      "error: no such overload: int + double"
    ),
    (
      "-dyn('a')",
      "error: no such overload: -string"
    ),
    (
      "!dyn(1)",
      "error: expected a bool, found int"
    ),
    (
      "dyn(1) && true",
      "error: expected a bool, found int"
    ),
    (
      "dyn('a') < 1",
      "error: no such overload: string < int"
    ),
    (
      "size(dyn(1))",
      "error: no such overload: size(int)"
    ),
    (
      "dyn(1).startsWith('a')",
      "error: no such overload: startsWith(int, string)"
    ),
    (
      "dyn(1) ? 1 : 2",
      "error: expected a bool, found int"
    ),
    (
      "2 in dyn(1)",
      "error: no such overload: int in int"
    ),
    (
      "[1, 2, 3][3]",
      "error: index out of range: 3 in a list of 3"
    ),
    (
      "[1][dyn(0.5)]",
      "error: a list cannot be indexed by 0.5"
    ),
    (
      "[1][dyn('a')]",
      "error: a list cannot be indexed by 'a'"
    ),
    (
      "m['zz']",
      "error: no such key: 'zz'"
    ),
    (
      "m.zz",
      "error: no such key: 'zz'"
    ),
    (
      "{1: 'one'}[dyn(2.5)]",
      "error: no such key: 2.5"
    ),
    (
      "{1: 2}[dyn([])]",
      "error: a map has no keys of type list(dyn)"
    ),
    (
      "dyn(1)[0]",
      "error: a value of type int cannot be indexed"
    ),
    (
      "dyn(1).a",
      "error: a value of type int has no field 'a'"
    ),
    (
      "has(dyn([]).a)",
      "error: a value of type list(dyn) has no field 'a'"
    ),
    (
      "has(dyn({}).a.b)",
      "error: no such key: 'a'"
    ),
    (
      "{'a': 1, 'a': 2}",
      "error: a map cannot have the key 'a' twice"
    ),
    (
      "{dyn(1.0): 1}",
      "error: a map's key cannot be of type double"
    ),
    (
      "{dyn([]): 1}",
      "error: a map's key cannot be of type list(dyn)"
    ),
    (
      "{1: 1, 1u: 2}",
      "error: a map cannot have the key 1u twice"
    ),
    (
      "dyn(1).all(x, true)",
      "error: a value of type int has no elements"
    ),
    (
      "dyn('a').map(x, x)",
      "error: a value of type string has no elements"
    ),
    (
      "{?'a': dyn(1)}",
      "error: '?' stands before a value of type int, which is not optional"
    ),
    (
      "int(1e19)",
      "error: int: 1e+19 is out of range"
    ),
    (
      "int(0.0 / 0.0)",
      "error: int: NaN is out of range"
    ),
    (
      "int(18446744073709551615u)",
      "error: int: 18446744073709551615 is out of range"
    ),
    (
      "uint(-1)",
      "error: uint: -1 is out of range"
    ),
    (
      "uint(-1.5)",
      "error: uint: -1.5 is out of range"
    ),
    (
      "int('a')",
      "error: int: cannot read 'a'"
    ),
    (
      "uint('-1')",
      "error: uint: cannot read '-1'"
    ),
    (
      "double('a b')",
      "error: double: cannot read 'a b'"
    ),
    (
      "bool('yes')",
      "error: bool: cannot read 'yes'"
    ),
    (
      "int('an overlong text of more than forty code points')",
      "error: int: cannot read 'an overlong text of more than forty code…'"
    ),
    (
      #"string(b'\xff')"#,
      "error: string: the bytes are invalid UTF-8"
    ),
    (
      "duration('1d')",
      "error: duration: cannot read '1d'"
    ),
    (
      "duration('3000000h')",
      "error: duration out of range: it must fit 64 bits of nanoseconds"
    ),
    (
      "timestamp('yesterday')",
      "error: timestamp: cannot read 'yesterday'"
    ),
    (
      "timestamp('2023-02-30T00:00:00Z')",
      "error: timestamp: there is no such time, '2023-02-30T00:00:00Z'"
    ),
    (
      "timestamp(99999999999999)",
      "error: timestamp out of range: it must lie within the years 1 to 9999"
    ),
    (
      "timestamp('9999-12-31T23:59:59Z') + duration('1s')",
      "error: timestamp out of range: it must lie within the years 1 to 9999"
    ),
    (
      "timestamp(0) - timestamp('9999-12-31T23:59:59Z')",
      "error: duration out of range: it must fit 64 bits of nanoseconds"
    ),
    (
      "timestamp(0).getHours('Nowhere')",
      "error: unknown time zone 'Nowhere'"
    ),
    (
      "optional.none().value()",
      "error: optional.none() has no value"
    ),
    (
      "'a'.matches('(')",
      "error: '(' is no regular expression: missing ): ("
    ),
    (
      "'a'.matches('a{1001}')",
      "error: 'a{1001}' is no regular expression: invalid repetition size: {1001}"
    ),
    (
      "'abc'.charAt(4)",
      "error: charAt: position 4 is outside of a text of 3 code points"
    ),
    (
      "'abc'.indexOf('a', -1)",
      "error: indexOf: position -1 is outside of a text of 3 code points"
    ),
    (
      "'abc'.lastIndexOf('a', 9)",
      "error: lastIndexOf: position 9 is outside of a text of 3 code points"
    ),
    (
      "'abc'.substring(4)",
      "error: substring: position 4 is outside of a text of 3 code points"
    ),
    (
      "'abc'.substring(2, 1)",
      "error: substring: the end 1 lies before the start 2"
    ),
    (
      "dyn(['a', 1]).join()",
      "error: join: an element of the list is no string but int"
    ),
    (
      "'%s'.format([])",
      "error: format: the text has more clauses than there are arguments, 0"
    ),
    (
      "'%'.format([1])",
      "error: format: the text ends within a clause"
    ),
    (
      "'%y'.format([1])",
      "error: format: there is no clause '%y'"
    ),
    (
      "'%.f'.format([1])",
      "error: format: a precision needs digits, as in '%.2f'"
    ),
    (
      "'%.1001f'.format([1])",
      "error: format: a precision is at most 1000"
    ),
    (
      "'%d'.format(['a'])",
      "error: format: '%d' takes no value of type string"
    ),
    (
      "'%x'.format([1.5])",
      "error: format: '%x' takes no value of type double"
    ),
    (
      "'%s'.format([optional.none()])",
      "error: format: '%s' takes no value of type optional_type"
    ),
    (
      "math.greatest(dyn('a'))",
      "error: no such overload: math.greatest(string)"
    ),
    (
      "math.greatest(dyn([]))",
      "error: math.greatest and math.least take no empty list"
    ),
    (
      "math.least(dyn(['a']))",
      "error: math.greatest and math.least take numbers, not values of type string"
    ),
    (
      "math.abs(-9223372036854775808)",
      "error: math.abs: -9223372036854775808 has no counterpart in 64 bits"
    ),
    (
      "math.bitShiftLeft(1, -1)",
      "error: math.bitShiftLeft: the number of bits is negative, -1"
    ),
    (
      "base64.decode('*')",
      "error: base64.decode: the text is no base 64"
    ),
    (
      "lists.range(-1)",
      "error: lists.range: the number of elements is negative, -1"
    ),
    (
      "lists.range(9223372036854775807)",
      "error: evaluation was stopped: it costs more than its limit"
    ),
    (
      "[1].flatten(-1)",
      "error: flatten: the number of levels is negative, -1"
    ),
    (
      "[1].slice(0, 2)",
      "error: slice: 0 to 2 is outside of a list of 1 elements"
    ),
    (
      "[1].slice(1, 0)",
      "error: slice: the end 0 lies before the start 1"
    ),
    (
      "[[1]].sort()",
      "error: sort: values of type list have no order"
    ),
    (
      "[dyn(1), dyn('a')].sort()",
      "error: sort: values of types int and string are mixed"
    ),
    (
      "ip('1.2.3')",
      "error: '1.2.3' is no IP address"
    ),
    (
      "ip('::1%eth0')",
      "error: a zone is not allowed in an IP address: '::1%eth0'"
    ),
    (
      "ip('::ffff:1.2.3.4')",
      "error: an IPv4 address mapped into IPv6 is not allowed: '::ffff:1.2.3.4'"
    ),
    (
      "cidr('10.0.0.0')",
      "error: '10.0.0.0' is no address of a network"
    ),
    (
      "cidr('fe80::1%eth0/64')",
      "error: a zone is not allowed in an address of a network: 'fe80::1%eth0/64'"
    ),
    (
      "cidr('10.0.0.0/8').containsIP('x')",
      "error: 'x' is no IP address"
    ),
    (
      "decimal('x')",
      "error: decimal: 'x' is not a decimal number"
    ),
    (
      "decimal('123456789012345678901234567890123456789')",
      "error: decimal: '123456789012345678901234567890123456789' is too long, a decimal number has at most 38 digits, at most 38 of them behind the point"
    ),
    (
      "decimal(1.0 / 0.0)",
      "error: decimal: an infinity is no decimal"
    ),
    (
      "decimal('1').divide(0, 2)",
      "error: division by zero"
    ),
    (
      "decimal('1').divide(3, -1)",
      "error: divide: a scale is 0 to 38, not -1"
    ),
    (
      "decimal('1').round(39)",
      "error: round: a scale is 0 to 38, not 39"
    ),
    (
      "decimal('1').round(2, 'sideways')",
      "error: round: there is no rounding 'sideways'; there are 'halfEven', 'halfUp', 'down', 'up'"
    ),
    (
      "int(decimal('1e30'))",
      "error: int: 1000000000000000000000000000000 is beyond 64 bits"
    ),
    (
      "uint(decimal('-1'))",
      "error: uint: -1 is negative or beyond 64 bits"
    ),
    (
      "decimal('99999999999999999999999999999999999999') + 1",
      "error: a decimal number has at most 38 digits, at most 38 of them behind the point"
    ),
  ])
}
