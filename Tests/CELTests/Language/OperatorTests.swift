import Testing

/// cel-spec, langdef.md, "Equality", "Ordering", "Overflow", "Arithmetic Operators", "Logical Operators".
struct OperatorTests {
  @Test("integers divide towards zero and report what does not fit", arguments: integersRows)
  func integers(_ row: LanguageCase) { expectResult(row) }

  static let integersRows = LanguageCase.table([
    ("7 / 2", "3"), ("-7 / 2", "-3"), ("7 / -2", "-3"), ("-7 % 2", "-1"), ("7 % -2", "1"),
    ("7u / 2u", "3u"), ("7u % 4u", "3u"), ("1 / 0", "error"), ("1 % 0", "error"),
    ("1u / 0u", "error"),
    ("1u % 0u", "error"), ("9223372036854775807 + 1", "error"),
    ("-9223372036854775808 - 1", "error"),
    ("9223372036854775807 * 2", "error"), ("-9223372036854775808 / -1", "error"),
    ("-9223372036854775808 % -1", "error"), ("-(-9223372036854775808)", "error"),
    ("18446744073709551615u + 1u", "error"), ("0u - 1u", "error"),
    ("18446744073709551615u * 2u", "error"),
    ("9223372036854775806 + 1", "9223372036854775807"), ("x + y * 2", "3"),
  ])

  @Test("doubles follow IEEE 754", arguments: doublesRows)
  func doubles(_ row: LanguageCase) { expectResult(row) }

  static let doublesRows = LanguageCase.table([
    ("0.1 + 0.2", "0.30000000000000004"), ("7.0 / 2.0", "3.5"), ("1.0 / 0.0", "double('Infinity')"),
    ("-1.0 / 0.0", "double('-Infinity')"), ("0.0 / 0.0", "double('NaN')"),
    ("0.0 / 0.0 == 0.0 / 0.0", "false"), ("0.0 / 0.0 != 0.0 / 0.0", "true"),
    ("-0.0 == 0.0", "true"),
    ("0.0 / 0.0 < 1.0", "false"), ("0.0 / 0.0 >= 1.0", "false"), ("-(1.5)", "-1.5"),
  ])

  @Test("equality is by value across numbers and false across other types", arguments: equalityRows)
  func equality(_ row: LanguageCase) { expectResult(row) }

  static let equalityRows = LanguageCase.table([
    ("1 == 1", "true"), ("dyn(1) == 1u", "true"), ("dyn(1) == 1.0", "true"),
    ("dyn(1u) == 1.0", "true"),
    ("dyn(1) == 1.5", "false"), ("dyn(1) == '1'", "false"), ("dyn(1) != '1'", "true"),
    ("dyn(1) == true", "false"), ("null == null", "true"), ("dyn(null) == 0", "false"),
    ("dyn(9007199254740993) == 9007199254740992.0", "true"),
    ("dyn(18446744073709551615u) == -1", "false"), ("'é' == 'e\u{301}'", "false"),
    ("b'a' == b'a'", "true"), ("dyn(b'a') == 'a'", "false"), ("[1, 2] == [1, 2]", "true"),
    ("[1, 2] == [2, 1]", "false"), ("[1] == [1, 2]", "false"),
    ("dyn([1, 2.0]) == [1.0, 2u]", "true"),
    ("[[1]] == [[1]]", "true"), ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1}", "true"),
    ("{'a': 1} == {'a': 2}", "false"), ("{1: 2} == dyn({1u: 2.0})", "true"),
    ("{'a': 1} == {'b': 1}", "false"), ("[0.0 / 0.0] == [0.0 / 0.0]", "false"),
    ("timestamp(0) == timestamp('1970-01-01T00:00:00Z')", "true"),
    ("duration('1h') == duration('60m')", "true"), ("type(1) == int", "true"),
    ("int == uint", "false"),
    ("optional.of(1) == optional.of(1)", "true"), ("optional.none() == optional.of(1)", "false"),
    ("d == [1u, 2.5, 'a']", "true"),
  ])

  @Test("order is by code points, bytes, instants, lengths", arguments: orderRows)
  func order(_ row: LanguageCase) { expectResult(row) }

  static let orderRows = LanguageCase.table([
    ("1 < 2", "true"), ("2u <= 2u", "true"), ("1.5 > 1.4", "true"), ("false < true", "true"),
    ("'a' < 'b'", "true"), ("'Z' < 'a'", "true"), ("'\u{FFFF}' < '\u{10000}'", "true"),
    ("'' < 'a'", "true"),
    ("'aa' >= 'b'", "false"), ("b'\\x01' < b'\\xff'", "true"), ("b'a' < b'aa'", "true"),
    ("timestamp(0) < timestamp(1)", "true"), ("duration('-1s') < duration('0s')", "true"),
    ("-1 < dyn(1u)", "true"), ("1 >= dyn(18446744073709551615u)", "false"),
    ("dyn(1) < 1.5", "true"),
    ("dyn(1u) > 0.5", "true"), ("dyn(9223372036854775807) < 9223372036854775808.0", "false"),
    ("dyn(-1) < 0u", "true"), ("dyn('a') < 1", "error"), ("dyn([1]) < dyn([2])", "error"),
    ("dyn(null) < 1", "error"),
  ])

  @Test("logic absorbs errors from either side", arguments: logicRows)
  func logic(_ row: LanguageCase) { expectResult(row) }

  static let logicRows = LanguageCase.table([
    ("true || 1 / 0 == 1", "true"), ("1 / 0 == 1 || true", "true"),
    ("false && 1 / 0 == 1", "false"),
    ("1 / 0 == 1 && false", "false"), ("false || 1 / 0 == 1", "error"),
    ("1 / 0 == 1 || false", "error"),
    ("true && 1 / 0 == 1", "error"), ("1 / 0 == 1 && true", "error"), ("!(1 / 0 == 1)", "error"),
    ("dyn(1) || true", "true"), ("true || dyn(1)", "true"), ("dyn(1) || false", "error"),
    ("dyn('a') && false", "false"), ("dyn('a') && true", "error"), ("dyn(1) && dyn(2)", "error"),
    ("true ? 1 : 1 / 0", "1"), ("false ? 1 / 0 : 2", "2"), ("1 / 0 == 1 ? 1 : 2", "error"),
    ("dyn(1) ? 1 : 2", "error"), ("true || (false && 1 / 0 == 1)", "true"), ("!true", "false"),
    ("false || false || true", "true"), ("true && true && false", "false"),
    ("1 / 0 == 1 || 1 % 0 == 1 || true", "true"),
  ])

  @Test("sums join texts, bytes and lists", arguments: sumsRows)
  func sums(_ row: LanguageCase) { expectResult(row) }

  static let sumsRows = LanguageCase.table([
    ("'a' + 'b'", "'ab'"), ("'' + ''", "''"), ("b'a' + b'\\xff'", #"b'a\xff'"#),
    ("[1] + [2, 3]", "[1, 2, 3]"), ("[] + []", "[]"), ("'e' + '\u{301}'", "'e\u{301}'"),
    ("dyn('a') + 1", "error"), ("dyn(1) + 1.0", "error"), ("dyn(1) + 1u", "error"),
    ("[1] + dyn(['a'])", "[1, 'a']"), ("event.amount + 1.0", "101.5"), ("event.count + 1", "4"),
  ])
}
