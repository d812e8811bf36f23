extension Library {
  /// Functions on text, with positions counted in code points
  /// (cel-spec, doc/extensions/strings.md; cel-go, ext/README.md, "Strings").
  public static let strings = Library(
    "strings",
    functions: [
      Function(
        "charAt", .member([.string, .int], .string, Native.body(StringFunctions.character))),
      Function(
        "indexOf",
        .member(
          [.string, .string], .int,
          Native.body { StringFunctions.firstIndex(of: $1, in: $0, from: 0) }),
        .member(
          [.string, .string, .int], .int,
          Native.body { StringFunctions.firstIndex(of: $1, in: $0, from: $2) })),
      Function(
        "lastIndexOf",
        .member(
          [.string, .string], .int,
          Native.body { StringFunctions.lastIndex(of: $1, in: $0, upTo: nil) }),
        .member(
          [.string, .string, .int], .int,
          Native.body { StringFunctions.lastIndex(of: $1, in: $0, upTo: $2) })),
      Function(
        "join",
        Overload(
          isMember: true, parameters: [.list(.string)], result: .string,
          implementation: Native.charging { StringFunctions.join($0, by: "", &$1) }),
        Overload(
          isMember: true, parameters: [.list(.string), .string], result: .string,
          implementation: Native.charging { StringFunctions.join($0, by: $1, &$2) })),
      Function(
        "lowerAscii",
        .member([.string], .string, Native.body { .string(StringFunctions.lowerASCII($0)) })),
      Function(
        "upperAscii",
        .member([.string], .string, Native.body { .string(StringFunctions.upperASCII($0)) })),
      Function(
        "replace",
        Overload(
          isMember: true, parameters: [.string, .string, .string], result: .string,
          implementation: Native.charging {
            StringFunctions.replace($1, in: $0, by: $2, limit: nil, &$3)
          }),
        Overload(
          isMember: true, parameters: [.string, .string, .string, .int], result: .string,
          implementation: StringFunctions.replaceLimited)),
      Function(
        "split",
        .member(
          [.string, .string], .list(.string),
          Native.body { StringFunctions.split($0, by: $1, limit: nil) }),
        .member(
          [.string, .string, .int], .list(.string),
          Native.body { StringFunctions.split($0, by: $1, limit: $2) })),
      Function(
        "substring",
        .member(
          [.string, .int], .string,
          Native.body { StringFunctions.substring(of: $0, from: $1, to: nil) }),
        .member(
          [.string, .int, .int], .string,
          Native.body { StringFunctions.substring(of: $0, from: $1, to: $2) })),
      Function(
        "trim", .member([.string], .string, Native.body { .string(StringFunctions.trim($0)) })),
      Function(
        "reverse",
        .member([.string], .string, Native.body { .string(StringFunctions.reverse($0)) })),
      Function(
        "strings.quote",
        .global([.string], .string, Native.body { .string(StringFunctions.quote($0)) })),
      Function(
        "format",
        Overload(
          isMember: true, parameters: [.string, .list(.dyn)], result: .string,
          implementation: Native.charging { TextFormat.format($0, $1, &$2) })),
    ])
}
