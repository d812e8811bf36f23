/// Writes expressions of a type that is asked for, most of them meaningful, some of them failing.
struct ExpressionGenerator {
  /// Types that expressions are made of.
  enum Kind: CaseIterable {
    case int, uint, double, bool, string, bytes, timestamp, duration
    case ints, strings, map, dyn
  }

  private var random: SeededGenerator
  /// Names of loop variables in scope, all ints.
  private var scope: [String] = []
  private var fresh = 0

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  private mutating func pick<T>(_ choices: [T]) -> T {
    choices[Int.random(in: 0..<choices.count, using: &random)]
  }

  mutating func expression(depth: Int = 4) -> String {
    expression(of: pick(Kind.allCases), depth: depth)
  }

  mutating func expression(of kind: Kind, depth: Int) -> String {
    guard depth > 0 else { return leaf(kind) }
    switch Int.random(in: 0..<12, using: &random) {
    case 0: return leaf(kind)
    case 1:
      return "(\(expression(of: .bool, depth: depth - 1)) ? "
        + "\(expression(of: kind, depth: depth - 1)) : \(expression(of: kind, depth: depth - 1)))"
    case 2 where kind != .dyn:
      return "{'k': \(expression(of: kind, depth: depth - 1))}['k']"
    case 3 where kind != .dyn:
      return
        "[\(expression(of: kind, depth: depth - 1)), \(leaf(kind))][\(pick(["0", "1", "0", "2"]))]"
    default: return compound(kind, depth - 1)
    }
  }

  private mutating func leaf(_ kind: Kind) -> String {
    switch kind {
    case .int:
      if let variable = scope.randomElement(using: &random), Bool.random(using: &random) {
        return variable
      }
      return pick([
        "0", "1", "2", "-1", "7", "-13", "100", "9223372036854775807", "-9223372036854775808", "x",
        "0x1F", "1000000007",
      ])
    case .uint: return pick(["0u", "1u", "3u", "42u", "18446744073709551615u", "u"])
    case .double:
      return pick([
        "0.0", "-0.0", "1.0", "1.5", "-2.25", "1e10", "1e-7", "1e300", "9007199254740993.0", "f",
        "(0.0 / 0.0)", "(1.0 / 0.0)", "9223372036854775807.0",
      ])
    case .bool: return pick(["true", "false", "b"])
    case .string:
      return pick([
        "''", "'a'", "'abc'", "'ABC'", "'aabaab'", "'é'", "'e\\u0301'", "'😀b'", "'12'", "'-7'",
        "'1.5'", "'true'",
        "' a b '", "s", "'x,y,z'",
      ])
    case .bytes: return pick(["b''", "b'abc'", "b'\\xff\\x00'", "b'é'"])
    case .timestamp:
      return pick([
        "timestamp('2023-12-25T12:30:15.250Z')", "timestamp('1969-12-31T23:59:59Z')",
        "timestamp(0)",
        "timestamp('2024-02-29T23:00:00+02:00')", "timestamp('9999-12-31T23:59:59Z')",
        "timestamp('0001-01-01T00:00:00Z')",
      ])
    case .duration:
      return pick([
        "duration('0s')", "duration('1h30m')", "duration('-1.5s')", "duration('250ms')",
        "duration('86400s')", "duration('100000h')",
      ])
    case .ints: return pick(["[]", "[1]", "[3, 1, 2]", "[0, 0, -1]", "li"])
    case .strings: return pick(["['a']", "['b', 'a', 'b']", "['', 'é']"])
    case .map: return pick(["{'a': 1}", "{'a': 1, 'b': 2}", "{'': 0}", "m"])
    case .dyn:
      let inner = pick([Kind.int, .uint, .double, .bool, .string, .bytes, .ints, .map])
      return "dyn(\(pick(["null", leaf(inner), leaf(inner), leaf(inner)])))"
    }
  }

  private mutating func sub(_ kind: Kind, _ depth: Int) -> String {
    expression(of: kind, depth: depth)
  }

  /// A name for an int within an expression.
  private mutating func bound(_ kind: Kind, _ depth: Int) -> String {
    let value = sub(.int, depth)
    return loop { "cel.bind(\($1), \(value), \($0.sub(kind, depth)))" }
  }

  /// Names a variable for a loop's body.
  private mutating func loop(_ body: (inout Self, String) -> String) -> String {
    fresh += 1
    let name = "v\(fresh)"
    scope.append(name)
    defer { scope.removeLast() }
    return body(&self, name)
  }

  private mutating func compound(_ kind: Kind, _ depth: Int) -> String {
    switch kind {
    case .int: int(depth)
    case .uint: uint(depth)
    case .double: double(depth)
    case .bool: bool(depth)
    case .string: string(depth)
    case .bytes:
      pick([0, 1]) == 0
        ? "(\(sub(.bytes, depth)) + \(sub(.bytes, depth)))" : "bytes(\(sub(.string, depth)))"
    case .timestamp:
      pick([0, 1]) == 0
        ? "(\(sub(.timestamp, depth)) \(pick(["+", "-"])) \(sub(.duration, depth)))"
        : "timestamp(string(\(sub(.timestamp, depth))))"
    case .duration:
      pick([0, 1]) == 0
        ? "(\(sub(.duration, depth)) \(pick(["+", "-"])) \(sub(.duration, depth)))"
        : "(\(sub(.timestamp, depth)) - \(sub(.timestamp, depth)))"
    case .ints: ints(depth)
    case .strings: strings(depth)
    case .map: map(depth)
    case .dyn:
      "dyn(\(sub(pick([.int, .uint, .double, .bool, .string, .ints, .map, .timestamp]), depth)))"
    }
  }

  private mutating func int(_ depth: Int) -> String {
    switch Int.random(in: 0..<16, using: &random) {
    case 13:
      "math.\(pick(["greatest", "least", "bitAnd", "bitOr", "bitXor"]))(\(sub(.int, depth)), \(sub(.int, depth)))"
    case 14:
      "math.\(pick(["bitShiftLeft", "bitShiftRight"]))(\(sub(.int, depth)), \(pick(["0", "3", "63", "64", "-1"])))"
    case 15: bound(.int, depth)
    case 0...3: "(\(sub(.int, depth)) \(pick(["+", "-", "*", "/", "%"])) \(sub(.int, depth)))"
    case 4: "-(\(sub(.int, depth)))"
    case 5: "size(\(sub(pick([.string, .bytes, .ints, .strings, .map]), depth)))"
    case 6: "int(\(sub(pick([.uint, .double, .string, .timestamp]), depth)))"
    case 7:
      "\(sub(.timestamp, depth)).\(pick(["getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds"]))(\(pick(["", "'UTC'", "'+02:30'", "'-11:00'"])))"
    case 8:
      "\(sub(.duration, depth)).\(pick(["getHours", "getMinutes", "getSeconds", "getMilliseconds"]))()"
    case 9: "\(sub(.ints, depth))[\(sub(.int, 0))]"
    case 10: "\(sub(.map, depth))\(pick(["['a']", ".b", "['zz']"]))"
    case 11: "\(sub(.string, depth)).indexOf(\(sub(.string, 0)))"
    default: "math.\(pick(["abs", "sign", "bitNot"]))(\(sub(.int, depth)))"
    }
  }

  private mutating func uint(_ depth: Int) -> String {
    switch Int.random(in: 0..<4, using: &random) {
    case 0...2: "(\(sub(.uint, depth)) \(pick(["+", "-", "*", "/", "%"])) \(sub(.uint, depth)))"
    default: "uint(\(sub(pick([.int, .double, .string]), depth)))"
    }
  }

  private mutating func double(_ depth: Int) -> String {
    switch Int.random(in: 0..<6, using: &random) {
    case 0...2: "(\(sub(.double, depth)) \(pick(["+", "-", "*", "/"])) \(sub(.double, depth)))"
    case 3: "-(\(sub(.double, depth)))"
    case 4: "double(\(sub(pick([.int, .uint, .string]), depth)))"
    default:
      "math.\(pick(["ceil", "floor", "round", "trunc", "abs", "sign"]))(\(sub(.double, depth)))"
    }
  }

  private mutating func bool(_ depth: Int) -> String {
    switch Int.random(in: 0..<18, using: &random) {
    case 14:
      return
        "\(sub(.string, depth)).matches(\(pick(["'a+b'", "'^[a-c]*$'", "'.'", "'('", "'(?i)AB'"])))"
    case 15:
      let kind = pick(Kind.allCases)
      return
        "(type(\(sub(kind, depth))) == \(pick(["int", "string", "list", "double", "type(1u)"])))"
    case 16:
      return pick([
        "\(sub(.map, depth)).?a.hasValue()", "\(sub(.ints, depth))[?\(sub(.int, 0))].hasValue()",
        "(optional.of(\(sub(.int, depth))).orValue(3) == \(sub(.int, depth)))",
      ])
    case 17: return bound(.bool, depth)
    case 0, 1: return "(\(sub(.bool, depth)) && \(sub(.bool, depth)))"
    case 2, 3: return "(\(sub(.bool, depth)) || \(sub(.bool, depth)))"
    case 4: return "!(\(sub(.bool, depth)))"
    case 5, 6:
      let kind = pick([Kind.int, .uint, .double, .string, .bytes, .bool, .timestamp, .duration])
      return "(\(sub(kind, depth)) \(pick(["<", "<=", ">", ">="])) \(sub(kind, depth)))"
    case 7:
      let kind = pick(Kind.allCases)
      return "(\(sub(kind, depth)) \(pick(["==", "!="])) \(sub(kind, depth)))"
    case 8: return "(\(sub(.dyn, depth)) \(pick(["==", "!=", "<", ">="])) \(sub(.dyn, depth)))"
    case 9:
      return pick([
        "(\(sub(.int, depth)) in \(sub(.ints, depth)))",
        "(\(sub(.string, depth)) in \(sub(.map, depth)))",
        "(\(sub(.dyn, depth)) in \(sub(.ints, depth)))",
      ])
    case 10:
      return
        "\(sub(.string, depth)).\(pick(["contains", "startsWith", "endsWith"]))(\(sub(.string, depth)))"
    case 11: return "has(\(sub(.map, depth)).\(pick(["a", "b", "zz"])))"
    case 12:
      let list = sub(.ints, depth)
      let macro = pick(["all", "exists", "exists_one"])
      return loop { "\(list).\(macro)(\($1), \($0.sub(.bool, depth)))" }
    default: return "bool(\(sub(pick([.string, .bool]), depth)))"
    }
  }

  private mutating func string(_ depth: Int) -> String {
    switch Int.random(in: 0..<14, using: &random) {
    case 0, 1: "(\(sub(.string, depth)) + \(sub(.string, depth)))"
    case 10:
      "string(\(pick(["1.5", "-2.25", "1e10", "1e-7", "1e300", "f", "123456.5", "0.1 + 0.2", "double(\(sub(.int, depth)))"])))"
    case 11: "'\(pick(["%f", "%.2f", "%e", "%.0e"]))'.format([\(sub(.double, depth))])"
    case 12: "'\(pick(["%x", "%X", "%o", "%b", "%s"]))'.format([\(sub(.int, depth))])"
    case 13: "optional.ofNonZeroValue(\(sub(.string, depth))).orValue(\(sub(.string, 0)))"
    case 2: "string(\(sub(pick([.int, .uint, .bool, .string, .bytes]), depth)))"
    case 3: "\(sub(.string, depth)).\(pick(["lowerAscii", "upperAscii", "trim", "reverse"]))()"
    case 4: "\(sub(.string, depth)).charAt(\(sub(.int, 0)))"
    case 5: "\(sub(.string, depth)).substring(\(sub(.int, 0)))"
    case 6: "\(sub(.string, depth)).replace(\(sub(.string, 0)), \(sub(.string, 0)))"
    case 7: "\(sub(.strings, depth)).join(\(pick(["", "','"])))"
    case 8: "\(sub(.strings, depth))[\(sub(.int, 0))]"
    default: "'%s|%d'.format([\(sub(.string, depth)), \(sub(.int, depth))])"
    }
  }

  private mutating func ints(_ depth: Int) -> String {
    switch Int.random(in: 0..<5, using: &random) {
    case 0: return "[\(sub(.int, depth)), \(sub(.int, depth))]"
    case 1: return "(\(sub(.ints, depth)) + \(sub(.ints, depth)))"
    case 2:
      let list = sub(.ints, depth)
      return loop { "\(list).map(\($1), \($0.sub(.int, depth)))" }
    case 3:
      let list = sub(.ints, depth)
      return loop { "\(list).filter(\($1), \($0.sub(.bool, depth)))" }
    default:
      let list = sub(.ints, depth)
      return loop { "\(list).map(\($1), \($0.sub(.bool, depth)), \($0.sub(.int, depth)))" }
    }
  }

  private mutating func strings(_ depth: Int) -> String {
    switch Int.random(in: 0..<3, using: &random) {
    case 0: "[\(sub(.string, depth)), \(sub(.string, depth))]"
    case 1: "\(sub(.string, depth)).split(\(pick(["','", "'b'", "''"])))"
    default: "(\(sub(.strings, depth)) + \(sub(.strings, depth)))"
    }
  }

  private mutating func map(_ depth: Int) -> String {
    pick([0, 1]) == 0
      ? "{'a': \(sub(.int, depth)), \(sub(.string, depth)): \(sub(.int, depth))}"
      : "{\(sub(.string, depth)): \(sub(.int, depth))}"
  }
}
