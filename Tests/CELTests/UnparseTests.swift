import CEL
import Testing

/// Trees as text, and back.
struct UnparseTests {
  @Test(
    "an expression is written with the parentheses it needs, macros as they were",
    arguments: [
      ("a+b*c", "a + b * c"), ("(a+b)*c", "(a + b) * c"), ("a-(b-c)", "a - (b - c)"),
      ("(a-b)-c", "a - b - c"), ("a&&b&&(c||d)", "a && b && (c || d)"),
      ("a?b:(c?d:e)", "a ? b : c ? d : e"), ("(a?b:c)?d:e", "(a ? b : c) ? d : e"),
      ("!(a&&b)", "!(a && b)"), ("!!a", "!(!a)"), ("-(1)", "-(1)"), ("-1", "-1"),
      ("a - -1", "a - -1"), ("-a.b", "-a.b"), ("(-a).b", "(-a).b"),
      ("has(a.b) && has( a.`b-c` )", "has(a.b) && has(a.`b-c`)"),
      ("x.all(y,y>0&&has(y.z))", "x.all(y, y > 0 && has(y.z))"),
      ("[1,?a,[2u,],]", "[1, ?a, [2u]]"), ("{'k':1,?2:b}", "{'k': 1, ?2: b}"),
      ("a.?b[?'c'].d[0]", "a.?b[?'c'].d[0]"), ("a in [1.0, 1e100]", "a in [1.0, 1e+100]"),
      (#""it's" + r'\d' + b"\x00""#, #"'it\'s' + '\\d' + b'\x00'"#), (".a.b(c)", ".a.b(c)"),
      ("1e999", "1e999"), ("A.B{c: 1}", "A.B{c: 1}"), ("a . in_", "a.in_"),
      ("true||false", "true || false"), ("'é\\n'", "'é\\n'"),
    ])
  func text(written: String, expected: String) throws {
    let environment = try Environment()
    let text = try environment.parse(written).description
    #expect(text == expected)
    #expect(try environment.parse(text).description == expected)
  }

  @Test("a walk visits parents before children, and leaves out what it is told")
  func walk() throws {
    let root = try Environment().parse("a.f(b, [c, {d: e}]) ? g : h")
    var names: [String] = []
    root.walk { node in
      if case .identifier(let name) = node.kind { names.append(name) }
      if case .map = node.kind { return false }
      return true
    }
    #expect(names == ["a", "b", "c", "g", "h"])
  }
}
