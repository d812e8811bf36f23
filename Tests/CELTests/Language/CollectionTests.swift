import Testing

/// cel-spec, langdef.md, "Aggregate Values", "Field Selection", "Macros", "List Operators", "Map Operators".
struct CollectionTests {
  @Test("lists", arguments: listsRows)
  func lists(_ row: LanguageCase) { expectResult(row) }

  static let listsRows = LanguageCase.table([
    ("[]", "[]"), ("[1, 'a', 2.0]", "[1, 'a', 2.0]"), ("[1, 2, 3][0]", "1"),
    ("[1, 2, 3][3]", "error"),
    ("[1, 2, 3][-1]", "error"), ("[1, 2][dyn(1u)]", "2"), ("[1, 2][dyn(1.0)]", "2"),
    ("[1, 2][dyn(0.5)]", "error"), ("[1, 2][dyn('a')]", "error"), ("size([1, 2])", "2"),
    ("[].size()", "0"), ("2 in [1, 2]", "true"), ("'a' in ['b']", "false"),
    ("dyn(2.0) in [1, 2]", "true"),
    ("1 in []", "false"), ("dyn(9223372036854775808.0) in [9223372036854775807]", "true"),
    ("dyn(9007199254740992.0) in [9007199254740993]", "true"),
    ("9007199254740992 in [9007199254740993]", "false"),
    (
      "[9007199254740993, 9007199254740992, 5].distinct()",
      "[9007199254740993, 9007199254740992, 5]"
    ),
    ("sets.contains([9007199254740993], dyn([9007199254740992.0]))", "true"),
    ("dyn(1) in ['a', 1u]", "true"), ("[1] in [[1]]", "true"),
    ("[1, 2].x", "1:8: type list(int) has no fields"), ("items[1]", "'b'"),
    ("'b' in items", "true"), ("null in [null]", "true"), ("[1 / 0]", "error"),
  ])

  @Test("maps", arguments: mapsRows)
  func maps(_ row: LanguageCase) { expectResult(row) }

  static let mapsRows = LanguageCase.table([
    ("{}", "{}"), ("{'a': 1, 1: 'b', true: 2u, 3u: null}", "{'a': 1, 1: 'b', true: 2u, 3u: null}"),
    ("{'a': 1}['a']", "1"), ("{'a': 1}.a", "1"), ("{'a': 1}['b']", "error"),
    ("{'a': 1}.b", "error"),
    ("{1: 'one'}[dyn(1.0)]", "'one'"), ("{1: 'one'}[dyn(1u)]", "'one'"),
    ("{1u: 'one'}[dyn(1)]", "'one'"),
    ("{1: 'one'}[dyn(1.5)]", "error"), ("{'a': 1, 'a': 2}", "error"), ("{1: 1, 1u: 2}", "error"),
    ("{dyn(1.0): 1}", "error"), ("{dyn(null): 1}", "error"), ("{dyn([]): 1}", "error"),
    ("'a' in {'a': 1}", "true"), ("'b' in {'a': 1}", "false"), ("dyn(1) in {1u: 1}", "true"),
    ("dyn(2.5) in {1: 1}", "false"), ("size({'a': 1})", "1"), ("{'a': 1}.size()", "1"),
    ("has({'a': 1}.a)", "true"), ("has({'a': 1}.b)", "false"), ("has({'a': null}.a)", "true"),
    ("has(event.none)", "true"), ("has(event.missing)", "false"), ("event.missing", "error"),
    ("has(event.tags.x)", "error"), ("event['type']", "'A'"), ("event.tags[1]", "'u'"),
    ("has({'a': {'b': 1}}.a.b)", "true"), ("has({'a': {}}.a.b)", "false"), ("has({}.a.b)", "error"),
    ("dyn(1).a", "error"), ("has(dyn(1).a)", "error"), ("{true: 1}[dyn(1)]", "error"),
  ])

  @Test("macros of one variable", arguments: macrosRows)
  func macros(_ row: LanguageCase) { expectResult(row) }

  static let macrosRows = LanguageCase.table([
    ("[1, 2, 3].all(x, x > 0)", "true"), ("[1, 2, 0].all(x, x > 0)", "false"),
    ("[].all(x, x > 0)", "true"),
    ("[0, 1].all(x, 1 / x == 1 && x == 7)", "false"), ("[0, 1].all(x, 1 / x == 1)", "error"),
    ("[1, 0, 2].all(x, 1 / x == 1)", "false"), ("{'a': 1, 'b': 2}.all(k, k != 'b')", "false"),
    ("[1, 2, 3].exists(i, i % 2 == 0)", "true"), ("[].exists(i, true)", "false"),
    ("[0, 1].exists(x, 1 / x == 1)", "true"), ("[0, 2].exists(x, 1 / x == 1)", "error"),
    ("{'x': 1}.exists(k, k.startsWith('x'))", "true"), ("[1, 2, 2].exists_one(i, i < 2)", "true"),
    ("[1, 2, 2].exists_one(i, i == 2)", "false"), ("[0, 1].exists_one(x, 1 / x == 1)", "error"),
    ("[].exists_one(x, true)", "false"), ("[1, 2, 3].filter(x, x > 1)", "[2, 3]"),
    ("{'a': 1, 'b': 2}.filter(k, k == 'a')", "['a']"), ("[0, 1].filter(x, 1 / x == 1)", "error"),
    ("[1, 2, 3].map(x, x * 2)", "[2, 4, 6]"), ("[1, 2, 3, 4].map(n, n % 2 == 0, n * 2)", "[4, 8]"),
    ("{'one': 1, 'two': 2}.map(k, k)", "['one', 'two']"), ("[0].map(x, 1 / x)", "error"),
    ("[].map(x, x)", "[]"), ("[1, 2].map(x, [3, 4].map(y, x * y))", "[[3, 4], [6, 8]]"),
    ("[{'a': 10, 'b': 5}].map(m, m.filter(key, m[key] > 6))", "[['a']]"),
    ("dyn(1).all(x, true)", "error"),
    ("dyn('ab').map(x, x)", "error"), ("['a', 'b'].map(x, x + x).exists(x, x == 'bb')", "true"),
  ])

  @Test("macros of two variables", arguments: twoVariablesRows)
  func twoVariables(_ row: LanguageCase) { expectResult(row) }

  static let twoVariablesRows = LanguageCase.table([
    ("[1, 2, 3].all(i, v, i < v)", "true"), ("{'a': 'a'}.all(k, v, k != v)", "false"),
    ("[1, 2].exists(i, v, v == 2 && i == 1)", "true"),
    ("[1, 2, 1].existsOne(i, v, v == 1)", "false"),
    ("[1, 2, 1].exists_one(i, v, i == 1)", "true"),
    ("[1, 2, 3].transformList(i, v, i * v + v)", "[1, 4, 9]"),
    ("[1, 2, 3].transformList(i, v, i % 2 == 0, i * v + v)", "[1, 9]"),
    ("{'a': 'b'}.transformList(k, v, k + v)", "['ab']"),
    ("[1, 2, 3].transformMap(i, v, i * v + v)", "{0: 1, 1: 4, 2: 9}"),
    ("{'g': 'hi', 'f': 'bye'}.transformMap(k, v, k == 'g', v + '!')", "{'g': 'hi!'}"),
    ("{'g': 'hi'}.transformMapEntry(k, v, {v: k})", "{'hi': 'g'}"),
    ("[1, 2].transformMapEntry(i, v, {v: i})", "{1: 0, 2: 1}"),
    ("{'a': 'x', 'b': 'x'}.transformMapEntry(k, v, {v: k})", "error"),
    ("[1, 1.0].transformMapEntry(i, v, {string(i): v})", "{'0': 1, '1': 1.0}"),
    ("[0, 1].all(i, v, 1 / v == 1 && i == 7)", "false"),
    ("[1].all(i, i, true)", "1:12: the two variables must have different names"),
  ])

  @Test("optional values", arguments: optionalsRows)
  func optionals(_ row: LanguageCase) { expectResult(row) }

  static let optionalsRows = LanguageCase.table([
    ("optional.of(1)", "optional.of(1)"), ("optional.none()", "optional.none()"),
    ("optional.ofNonZeroValue(0)", "optional.none()"),
    ("optional.ofNonZeroValue('a')", "optional.of('a')"),
    ("optional.ofNonZeroValue('')", "optional.none()"),
    ("optional.ofNonZeroValue([])", "optional.none()"),
    ("optional.of(1).hasValue()", "true"), ("optional.none().hasValue()", "false"),
    ("optional.of(1).value()", "1"), ("optional.none().value()", "error"),
    ("optional.none().orValue(5)", "5"),
    ("optional.of(1).orValue(5)", "1"), ("optional.none().or(optional.of(2))", "optional.of(2)"),
    ("optional.of(1).or(1 / 0 == 1 ? optional.of(2) : optional.of(3))", "optional.of(1)"),
    ("{'a': 1}.?a", "optional.of(1)"), ("{'a': 1}.?b", "optional.none()"),
    ("{'a': 1}[?'b']", "optional.none()"),
    ("[1, 2][?1]", "optional.of(2)"), ("[1, 2][?5]", "optional.none()"),
    ("[1, 2][?-1]", "optional.none()"),
    ("{'a': {'b': 1}}.?a.b", "optional.of(1)"), ("{'a': {}}.?a.b.c", "optional.none()"),
    ("{'a': {'b': 1}}.?a['b']", "optional.of(1)"), ("has({'a': {}}.?a.b)", "false"),
    ("[?optional.none(), ?optional.of(1), 2]", "[1, 2]"),
    ("{?'a': optional.none(), 'b': 1}", "{'b': 1}"),
    ("{?'a': optional.of(1)}", "{'a': 1}"), ("optional.of(2).optMap(v, v * 2)", "optional.of(4)"),
    ("optional.none().optMap(v, v)", "optional.none()"),
    ("optional.of(2).optFlatMap(v, optional.none())", "optional.none()"),
    ("event.?missing.orValue('none')", "'none'"), ("event.?type.orValue('none')", "'A'"),
    ("type(optional.none()) == optional_type", "true"), ("[1, 2].first()", "optional.of(1)"),
    ("[1, 2].last()", "optional.of(2)"), ("[].first().orValue(3)", "3"),
    ("optional.unwrap([optional.of(1), optional.none()])", "[1]"),
    ("[optional.of(1), optional.none()].unwrapOpt()", "[1]"),
  ])
}
