extension Library {
  /// `base64.encode` and `base64.decode` (cel-go, ext/README.md, "Encoders").
  public static let encoders = Library(
    "encoders",
    functions: [
      Function(
        "base64.encode",
        .global(
          [.bytes], .string, Native.body { (bytes: [UInt8]) in .string(Base64.encode(bytes)) })),
      Function(
        "base64.decode",
        .global(
          [.string], .bytes,
          Native.body { (text: String) in
            Base64.decode(text).map(Value.bytes)
              ?? .error(.invalidArgument, "base64.decode: the text is no base 64")
          })),
    ])
}
