import CEL
import Testing

/// The extension libraries, by cel-go's ext/README.md and cel-spec's doc/extensions.
struct LibraryTests {
  @Test("strings", arguments: stringsRows)
  func strings(_ row: LanguageCase) { expectResult(row) }

  static let stringsRows = LanguageCase.table([
    ("'hello'.charAt(4)", "'o'"), ("'hello'.charAt(5)", "''"), ("'hello'.charAt(-1)", "error"),
    ("'hello'.charAt(6)", "error"),
    ("'e\u{301}x'.charAt(1)", "'\u{301}'"), ("'hello mellow'.indexOf('')", "0"),
    ("'hello mellow'.indexOf('ello')", "1"),
    ("'hello mellow'.indexOf('jello')", "-1"), ("'hello mellow'.indexOf('', 2)", "2"),
    ("'hello mellow'.indexOf('ello', 2)", "7"),
    ("'hello mellow'.indexOf('ello', 20)", "error"),
    ("'hello mellow'.indexOf('ello', -1)", "error"), ("'😀é😀'.indexOf('😀', 1)", "2"),
    ("'aabaaab'.indexOf('aaab')", "3"), ("'hello mellow'.lastIndexOf('')", "12"),
    ("'hello mellow'.lastIndexOf('ello')", "7"),
    ("'hello mellow'.lastIndexOf('ello', 6)", "1"),
    ("'hello mellow'.lastIndexOf('ello', -1)", "error"), ("'aaa'.lastIndexOf('aa')", "1"),
    ("'😀é😀'.lastIndexOf('😀')", "2"), ("['hello', 'mellow'].join()", "'hellomellow'"),
    ("['a', 'b'].join(', ')", "'a, b'"),
    ("[].join('/')", "''"), ("dyn(['a', 1]).join()", "error"),
    ("'TacoCÆt'.lowerAscii()", "'tacocÆt'"), ("'tacocæt'.upperAscii()", "'TACOCæT'"),
    ("'hello hello'.replace('he', 'we')", "'wello wello'"),
    ("'hello hello'.replace('he', 'we', -1)", "'wello wello'"),
    ("'hello hello'.replace('he', 'we', 1)", "'wello hello'"),
    ("'hello hello'.replace('he', 'we', 0)", "'hello hello'"),
    ("'aé'.replace('', '-')", "'-a-é-'"), ("'ab'.replace('', '-', 2)", "'-a-b'"),
    ("'aaa'.replace('aa', 'b')", "'ba'"),
    ("'a b c'.split(' ')", "['a', 'b', 'c']"), ("'a b c'.split(' ', 0)", "[]"),
    ("'a b c'.split(' ', 1)", "['a b c']"),
    ("'a b c'.split(' ', 2)", "['a', 'b c']"), ("'a b'.split(' ', -1)", "['a', 'b']"),
    ("'aé'.split('')", "['a', 'é']"), ("''.split(',')", "['']"),
    ("''.split('')", "[]"), ("'abc'.split('', 2)", "['a', 'bc']"),
    ("'tacocat'.substring(4)", "'cat'"), ("'tacocat'.substring(0, 4)", "'taco'"),
    ("'tacocat'.substring(7)", "''"), ("'tacocat'.substring(-1)", "error"),
    ("'tacocat'.substring(2, 1)", "error"), ("'tacocat'.substring(0, 8)", "error"),
    ("'\\u2000 \\u200btrim\\u3000\\n'.trim()", "'\u{200b}trim'"), ("'  '.trim()", "''"),
    ("'añb'.reverse()", "'bña'"), ("strings.quote('a\"\\n\\\\')", ##"'"a\\"\\n\\\\"'"##),
  ])

  @Test("format", arguments: formatRows)
  func format(_ row: LanguageCase) { expectResult(row) }

  static let formatRows = LanguageCase.table([
    ("'%s %s'.format(['a', 1])", "'a 1'"), ("'%%'.format([])", "'%'"),
    ("'%d|%d|%d'.format([-1, 2u, 3.5])", "'-1|2|3.5'"),
    ("'%s'.format([1e21])", "'1000000000000000000000'"), ("'%s'.format([1.5e-7])", "'0.00000015'"),
    ("'%s'.format([-1e-7])", "'-0.0000001'"), ("'%d'.format([123.0])", "'123'"),
    ("'%.0f %.1f'.format([2.5, 0.25])", "'2 0.2'"), ("'%.3f'.format([1])", "'1.000'"),
    ("'%e'.format([0.0])", "'0.000000e+00'"),
    ("'%.2e'.format([-12345.0])", "'-1.23e+04'"), ("'%.0e'.format([9.5])", "'1e+01'"),
    ("'%e'.format([1e-100])", "'1.000000e-100'"),
    ("'%x %X'.format([255, -255])", "'ff -FF'"), ("'%x'.format(['é'])", "'c3a9'"),
    ("'%X'.format([b'\\x0a'])", "'0A'"), ("'%o %b'.format([8, -5])", "'10 -101'"),
    ("'%b'.format([true])", "'1'"), ("'%s'.format([b'a\\xff\\xfeb'])", "'a\u{FFFD}b'"),
    ("'%s'.format([[1, 'a', null, true]])", "'[1, a, null, true]'"),
    ("'%s'.format([{'b': 1, 'a': 2u, 3: 1.5}])", "'{3: 1.5, a: 2, b: 1}'"),
    ("'%s'.format([duration('1.5s')])", "'1.5s'"),
    ("'%s'.format([timestamp(0)])", "'1970-01-01T00:00:00Z'"),
    ("'%s'.format([type(1)])", "'int'"), ("'%s %s'.format([1])", "error"),
    ("'%'.format([1])", "error"), ("'%y'.format([1])", "error"), ("'%.f'.format([1])", "error"),
    ("'%.1001f'.format([1])", "error"), ("'%d'.format(['a'])", "error"),
    ("'%s'.format([optional.of(1)])", "error"), ("'%f'.format([0.0 / 0.0])", "'NaN'"),
    ("'a'.format([1, 2])", "'a'"),
  ])

  @Test("math", arguments: mathRows)
  func math(_ row: LanguageCase) { expectResult(row) }

  static let mathRows = LanguageCase.table([
    ("math.greatest(1)", "1"), ("math.greatest(1u, 2u)", "2u"),
    ("math.greatest(-42.0, -21.5, -100.0)", "-21.5"), ("math.greatest([1, 3, 2])", "3"),
    ("math.greatest(1, 1.0)", "1"),
    ("math.least(1.0, 1)", "1.0"), ("math.least(1, 2u, 0.5)", "0.5"),
    ("math.greatest()", "1:6: math.greatest takes at least one number"),
    ("math.greatest('a')", "1:15: math.greatest takes numbers only"),
    ("math.greatest([])", "1:15: math.greatest takes no empty list"),
    ("math.greatest(dyn([]))", "error"), ("math.greatest(dyn('string'))", "error"),
    ("math.least(dyn([1, 'a']))", "error"),
    ("math.bitOr(1u, 2u)", "3u"), ("math.bitOr(-2, -4)", "-2"), ("math.bitAnd(-3, -5)", "-7"),
    ("math.bitXor(1, 3)", "2"), ("math.bitNot(0u)", "18446744073709551615u"),
    ("math.bitShiftLeft(-1, 2)", "-4"), ("math.bitShiftLeft(1u, 200)", "0u"),
    ("math.bitShiftRight(-1024, 3)", "2305843009213693824"),
    ("math.bitShiftRight(1024u, 64)", "0u"), ("math.bitShiftLeft(1, -1)", "error"),
    ("math.ceil(-1.2)", "-1.0"), ("math.floor(-1.2)", "-2.0"), ("math.round(-1.5)", "-2.0"),
    ("math.round(2.5)", "3.0"), ("math.trunc(-1.3)", "-1.0"), ("math.abs(-1)", "1"),
    ("math.abs(-9223372036854775808)", "error"),
    ("math.sign(-42.5)", "-1.0"), ("math.sign(0u)", "0u"), ("math.isNaN(0.0 / 0.0)", "true"),
    ("math.isInf(-1.0 / 0.0)", "true"), ("math.isFinite(1.2)", "true"), ("math.sqrt(81)", "9.0"),
    ("math.sqrt(-15)", "double('NaN')"),
  ])

  @Test("encoders, sets, lists, bindings", arguments: othersRows)
  func others(_ row: LanguageCase) { expectResult(row) }

  static let othersRows = LanguageCase.table([
    ("base64.encode(b'hello')", "'aGVsbG8='"), ("base64.decode('aGVsbG8=')", "b'hello'"),
    ("base64.decode('aGVsbG8')", "b'hello'"), ("base64.decode('a')", "error"),
    ("base64.decode('a!==')", "error"), ("base64.encode(b'')", "''"),
    ("sets.contains([], [])", "true"), ("sets.contains([], [1])", "false"),
    ("sets.contains([1, 2, 3, 4], [2, 3])", "true"),
    ("sets.contains(dyn([1, 2.0, 3u]), [1.0, 2u, 3])", "true"),
    ("sets.contains([[1], [2]], [[2]])", "true"),
    ("sets.equivalent([1], [1, 1])", "true"), ("sets.equivalent([1, 2], [1])", "false"),
    ("sets.equivalent([1], dyn([1u, 1.0]))", "true"), ("sets.intersects([1], [])", "false"),
    ("sets.intersects([[1], [2, 3]], dyn([[1, 2], [2, 3.0]]))", "true"),
    ("sets.contains([0.0 / 0.0], [0.0 / 0.0])", "false"), ("[1, 2, 2, 3].distinct()", "[1, 2, 3]"),
    ("dyn([1, 'b', 1.0, [1], [1u], 'b']).distinct()", "[1, 'b', [1]]"),
    ("[1, [2, 3], [4]].flatten()", "[1, 2, 3, 4]"),
    ("[1, [2, [3, 4]]].flatten()", "[1, 2, [3, 4]]"),
    ("[1, [2, [3, [4]]]].flatten(2)", "[1, 2, 3, [4]]"), ("[[1]].flatten(0)", "[[1]]"),
    ("[1].flatten(-1)", "error"), ("lists.range(3)", "[0, 1, 2]"), ("lists.range(0)", "[]"),
    ("lists.range(-1)", "error"),
    ("lists.range(9223372036854775807)", "error"), ("[3, 1, 2].reverse()", "[2, 1, 3]"),
    ("[1, 2, 3, 4].slice(1, 3)", "[2, 3]"), ("[1].slice(0, 2)", "error"),
    ("[1].slice(-1, 0)", "error"), ("[1, 2].slice(1, 0)", "error"),
    ("[3, 2, 1].sort()", "[1, 2, 3]"), ("['b', 'a'].sort()", "['a', 'b']"),
    ("dyn([1, 'b']).sort()", "error"), ("[[1]].sort()", "error"), ("[].sort()", "[]"),
    ("[2.0, 0.0 / 0.0, 1.0].sort()", "[double('NaN'), 1.0, 2.0]"),
    ("['bb', 'a', 'cc'].sortBy(s, size(s))", "['a', 'bb', 'cc']"),
    ("[{'n': 2}, {'n': 1}].sortBy(e, e.n)", "[{'n': 1}, {'n': 2}]"),
    ("cel.bind(a, 'x', a + a)", "'xx'"), ("cel.bind(a, 1, cel.bind(b, a + 1, a * b))", "2"),
    ("cel.bind(a, 1 / 0, 5)", "5"), ("cel.bind(a, 1 / 0, a)", "error"),
    ("cel.bind(a.b, 1, 2)", "1:12: a variable must be a simple name"),
    ("[1, 2].exists(e, cel.bind(s, e * 2, s == 4))", "true"),
  ])

  @Test("network", arguments: networkRows)
  func network(_ row: LanguageCase) { expectResult(row) }

  static let networkRows = LanguageCase.table([
    ("ip('127.0.0.1')", "ip('127.0.0.1')"),
    ("string(ip('2001:DB8:0:0:1:0:0:1'))", "'2001:db8::1:0:0:1'"),
    ("ip('::ffff:c0a8:1') == ip('192.168.0.1')", "true"), ("ip('::ffff:192.168.0.1')", "error"),
    ("ip('fe80::1%en0')", "error"), ("ip('1.2.3')", "error"),
    ("isIP('::1')", "true"), ("isIP('01.2.3.4')", "false"),
    ("ip.isCanonical('2001:db8::1')", "true"), ("ip.isCanonical('2001:DB8::1')", "false"),
    ("ip.isCanonical('x')", "error"), ("type(ip('::')) == net.IP", "true"),
    ("ip('10.0.0.1').isGlobalUnicast()", "true"),
    ("ip('224.0.0.1').isLinkLocalMulticast()", "true"),
    ("ip('169.254.0.1').isLinkLocalUnicast()", "true"), ("ip('127.1.2.3').isLoopback()", "true"),
    ("ip('::').isUnspecified()", "true"), ("ip('::1').family()", "6"),
    ("cidr('192.168.1.5/24').masked()", "cidr('192.168.1.0/24')"),
    ("cidr('192.168.1.5/24').isMask()", "false"),
    ("cidr('192.168.1.5/24').ip()", "ip('192.168.1.5')"),
    ("cidr('10.0.0.0/8').containsIP('10.1.2.3')", "true"),
    ("cidr('10.0.0.0/8').containsIP(ip('11.0.0.0'))", "false"),
    ("cidr('10.0.0.0/8').containsIP('x')", "error"),
    ("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", "true"),
    ("cidr('10.0.0.0/8').containsCIDR(cidr('0.0.0.0/0'))", "false"),
    ("cidr('10.0.0.0/8').prefixLength()", "8"), ("isCIDR('10.0.0.0/33')", "false"),
    ("isCIDR('::/128')", "true"), ("cidr('10.0.0.0')", "error"),
    ("cidr('::/0').containsIP('1.2.3.4')", "false"),
    ("string(cidr('2001:DB8::/32'))", "'2001:db8::/32'"),
  ])

  @Test("decimals", arguments: decimalsRows)
  func decimals(_ row: LanguageCase) {
    expectResult(row, libraries: LanguageHost.libraries + [.decimal])
  }

  static let decimalsRows = LanguageCase.table([
    ("decimal('0.10')", "0.10"), ("decimal('0.1') + decimal('0.20')", "0.30"),
    ("decimal('0.1') + decimal('0.2') == decimal('0.3')", "true"),
    ("decimal('1.5') * decimal('2.50')", "3.750"), ("decimal('1') - 3", "-2"),
    ("3 * decimal('0.5')", "1.5"), ("-decimal('0.5')", "-0.5"),
    ("decimal('1.0') == decimal('1')", "true"), ("dyn(decimal('1.0')) == 1", "true"),
    ("decimal('1.5') > 1", "true"), ("2 >= decimal('1.5')", "true"),
    ("decimal('0.1') < 0.2", "true"), ("dyn(decimal('0.1')) == 0.1", "true"),
    ("decimal('1').divide(3, 4)", "0.3333"), ("decimal('2').divide(decimal('3'), 2, 'up')", "0.67"),
    ("decimal('1').divide(0, 2)", "error"), ("decimal('2.345').round(2)", "2.34"),
    ("decimal('2.345').round(2, 'halfUp')", "2.35"), ("decimal('2.349').round(2, 'down')", "2.34"),
    ("decimal('1').round(2)", "1.00"), ("decimal('1').round(39)", "error"),
    ("decimal('1').round(2, 'sideways')", "error"), ("decimal('1.50').scale()", "2"),
    ("decimal('-1.5').abs()", "1.5"), ("decimal('-1.5').sign()", "-1"), ("decimal(5)", "5"),
    ("decimal(5u)", "5"), ("decimal(0.1)", "0.1"), ("decimal(1.0 / 0.0)", "error"),
    ("decimal('x')", "error"), ("decimal('1e3')", "1000"),
    ("decimal('99999999999999999999999999999999999999') + 1", "error"),
    ("decimal('100000000000000000000') * decimal('100000000000000000000')", "error"),
    ("int(decimal('3.99'))", "3"), ("int(decimal('1e30'))", "error"),
    ("uint(decimal('-1'))", "error"), ("double(decimal('0.10'))", "0.1"),
    ("string(decimal('0.10'))", "'0.10'"), ("type(decimal('1')) == decimal", "true"),
    ("'%s %.1f'.format([decimal('0.10'), decimal('0.25')])", "'0.10 0.2'"),
    ("dyn(decimal('1')) + 1.0", "error"), ("[decimal('2'), decimal('1.5')].sort()", "[1.5, 2]"),
    ("decimal('1') in [1]", "true"),
    ("{1: 'a'}[dyn(decimal('1.0'))]", "'a'"), ("decimal(decimal('1'))", "1"),
    ("decimal('1') == 1.0 ? 1 : 2", "1"),
  ])
}
