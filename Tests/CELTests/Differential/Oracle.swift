import ChildProcesses
import Foundation

/// cel-cpp through its Python wrapper, `pip install cel-expr-python`: a process that reads an expression
/// a line and answers with a result a line.
enum Oracle {
  /// Whether `python3` can import the wrapper.
  static let isAvailable: Bool = {
    do {
      let child = try ChildProcess(
        "/usr/bin/env", ["python3", "-c", "from cel_expr_python import cel"], output: .discarded,
        errors: .discarded)
      return child.wait() == .exit(0)
    } catch {
      return false
    }
  }()

  /// The results of `expressions`, in their order, in the form of ``DifferentialResult``.
  static func results(of expressions: [String]) throws -> [String] {
    let file = FileManager.default.temporaryDirectory
      .appendingPathComponent("cel-oracle-\(UUID().uuidString)")
    defer { unlink(file.path) }
    try expressions.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
    let child = try ChildProcess(
      "/usr/bin/env", ["python3", "-c", script], input: file.path, output: .captured)
    let output = String(decoding: try child.output(), as: UTF8.self)
    guard child.wait() == .exit(0) else { throw ConformanceFailure("the oracle failed") }
    return output.split(separator: "\n").map(String.init)
  }

  /// Times come as microseconds, as Python's have no more digits.
  private static let script = #"""
    import datetime, struct, sys
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_bindings, ext_math, ext_optional, ext_strings
    T = cel.Type
    env = cel.NewEnv(
        variables={"x": T.INT, "u": T.UINT, "f": T.DOUBLE, "b": T.BOOL, "s": T.STRING,
                   "li": T.List(T.INT), "m": T.Map(T.STRING, T.INT)},
        extensions=[ext_bindings.ExtBindings(), ext_math.ExtMath(), ext_optional.ExtOptional(),
                    ext_strings.ExtStrings()])
    uint = env.compile("5u").eval().value()
    data = {"x": 7, "u": uint, "f": 2.5, "b": True, "s": "héllo",
            "li": [5, -3, 5], "m": {"a": 10, "c": -1}}
    micro = datetime.timedelta(microseconds=1)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    def hexed(data): return bytes(data).hex()
    def plain(key):
        if isinstance(key, bool): return "true" if key else "false"
        if isinstance(key, int): return "i%d" % key
        return "s" + hexed(key.encode())
    def text(value):
        kind = value.type()
        if kind == T.NULL: return "null"  # the wrapper counts references to None wrong
        if kind == T.ERROR: return "error"
        v = value.value()
        if kind == T.UINT: return "u%d" % int(v)
        if isinstance(v, bool): return "true" if v else "false"
        if isinstance(v, int): return "i%d" % v
        if isinstance(v, float): return "dNaN" if v != v else "d" + struct.pack(">d", v).hex()
        if isinstance(v, str): return "s" + hexed(v.encode())
        if isinstance(v, (bytes, bytearray)): return "b" + hexed(v)
        if isinstance(v, datetime.datetime): return "T%d" % ((v - epoch) // micro)
        if isinstance(v, datetime.timedelta): return "D%d" % (v // micro)
        if isinstance(v, list): return "[" + ",".join(text(e) for e in v) + "]"
        if isinstance(v, dict):
            return "{" + ",".join(sorted(plain(k) + ":" + text(e) for k, e in v.items())) + "}"
        return "?" + repr(v)
    for line in sys.stdin.buffer.read().decode().split("\n"):
        try:
            program = env.compile(line)
        except Exception:
            print("compile"); continue
        try:
            print(text(program.eval(data=data)))
        except Exception:
            print("error")
    """#
}
