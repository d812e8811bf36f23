import Testing

/// cel-spec, langdef.md, "Syntax" and "Values": what literals and operators mean.
struct LexisTests {
  @Test("numbers", arguments: numbersRows)
  func numbers(_ row: LanguageCase) { expectResult(row) }

  static let numbersRows = LanguageCase.table([
    ("0", "0"), ("007", "7"), ("9223372036854775807", "9223372036854775807"),
    ("-9223372036854775808", "-9223372036854775808"), ("0x7fffffffffffffff", "9223372036854775807"),
    ("-0x8000000000000000", "-9223372036854775808"), ("0xAbC", "2748"), ("- 5", "-5"),
    ("1u", "1u"), ("18446744073709551615U", "18446744073709551615u"),
    ("0xFFFFFFFFFFFFFFFFu", "18446744073709551615u"),
    ("1.5", "1.5"), (".5", "0.5"), ("1e3", "1000.0"), ("1E-2", "0.01"), ("1.5e+3", "1500.0"),
    ("-.5", "-0.5"), ("1e308 * 10.0", "double('Infinity')"), ("-0.0", "-0.0"),
    ("123456789012345678.0", "1.2345678901234568e+17"),
  ])

  @Test("strings and bytes", arguments: textsRows)
  func texts(_ row: LanguageCase) { expectResult(row) }

  static let textsRows = LanguageCase.table([
    (#""""#, "''"), (#"'"'"#, #"'"'"#), (#"'''x''x'''"#, #"'x\'\'x'"#), (#""\"""#, #"'"'"#),
    (#""\\""#, #"'\\'"#), (##"r"\\""##, #"'\\\\'"#), (#"R'\n'"#, #"'\\n'"#),
    (#"'\a\b\f\n\r\t\v'"#, #"'\x07\x08\x0c\n\r\t\x0b'"#), (#"'\`\?\'\"'"#, #"'`?\'"'"#),
    (#"'\x41\X41\101\u0041\U00000041'"#, "'AAAAA'"), (#"'\303\277'"#, "'Ã¿'"),
    (#"'\377'"#, "'ÿ'"), (#"'\xFF'"#, "'ÿ'"), (#"'\U0001F62C'"#, "'😬'"),
    ("\"\"\"a\nb\"\"\"", #"'a\nb'"#), ("'''a\r\nb'''", #"'a\r\nb'"#),
    ("r'''a\\\nb'''", #"'a\\\nb'"#), (#"b"abc""#, "b'abc'"), (#"b"ÿ""#, #"b'\xc3\xbf'"#),
    (#"b"\303\277""#, #"b'\xc3\xbf'"#), (#"b"\377""#, #"b'\xff'"#), (#"B'\xff'"#, #"b'\xff'"#),
    (#"br'\xff'"#, #"b'\\xff'"#), (#"rb'a'"#, "1:3: unexpected ''a''"),
    (#"'''''' + '''''"#, "1:10: a string is not closed"),
  ])

  @Test("operators bind as the precedence says", arguments: precedenceRows)
  func precedence(_ row: LanguageCase) { expectResult(row) }

  static let precedenceRows = LanguageCase.table([
    ("1 + 2 * 3", "7"), ("(1 + 2) * 3", "9"), ("10 - 4 - 3", "3"), ("100 / 10 / 5", "2"),
    ("-2 * -3", "6"), ("- - 2", "2"), ("!!true", "true"), ("1 + 1 == 2", "true"),
    ("1 < 2 == true", "true"), ("false && true || true", "true"), ("true || true && false", "true"),
    ("true ? 1 : false ? 2 : 3", "1"), ("false ? 1 : false ? 2 : 3", "3"),
    ("1 in [1] && 2 in [2]", "true"), ("!(1 in [2])", "true"), ("2 % 3 * 2", "4"),
    ("[1, 2, 3][1] + 1", "3"), ("{'a': [1]}.a[0]", "1"), ("{'a': {'b': 2}}['a'].b", "2"),
    ("-{'a': 3}.a", "-3"), ("1 // a comment\n + 2", "3"), ("// first\n1", "1"),
    (" \t\n\u{0C}\r1", "1"), ("true && 1 == 1 ? 'y' : 'n'", "'y'"), ("7 - -2", "9"), ("7-2", "5"),
    ("x-1", "6"), ("size([x, ])", "1"), ("{'a': 1, }", "{'a': 1}"),
  ])

  @Test("a name may be any word that is not reserved", arguments: namesRows)
  func names(_ row: LanguageCase) { expectResult(row) }

  static let namesRows = LanguageCase.table([
    ("{'in2': 1}.in2", "1"), ("{'for': 1}.for", "1"), ("{'package': 2}.package", "2"),
    ("{'_a1': 1}._a1", "1"), ("{'content-type': 5}.`content-type`", "5"),
    ("has({'a.b': 1}.`a.b`)", "true"), ("limit", "20"), (".limit", "20"),
    ("com.example.limit", "10"), (".com.example.limit", "10"), ("[1].exists(x, .x == 7)", "true"),
    ("[1].exists(x, x == 7)", "false"), ("[[1]].map(x, x.map(x, x + 1))", "[[2]]"),
    ("[x].map(limit, limit)", "[7]"), ("[1].map(com, com)", "[1]"),
  ])
}
