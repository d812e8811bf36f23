extension Library {
  /// IP addresses and networks (cel-go, ext/README.md and ext/network.go; cel-spec, network_ext).
  public static let network = Library(
    "network",
    functions: [
      Function(
        "ip", .global([.string], ip, Native.body { (text: String) in address(text, Value.ip) }),
        .member([cidr], ip, prefixBody { .ip($0.address) })),
      Function(
        "isIP",
        .global([.string], .bool, Native.body { (text: String) in isValid(IPAddress.init, text) })),
      Function(
        "ip.isCanonical",
        .global(
          [.string], .bool,
          Native.body { (text: String) in address(text) { .bool($0.description == text) } })),
      Function(
        "cidr",
        .global([.string], cidr, Native.body { (text: String) in prefix(text, Value.cidr) })),
      Function(
        "isCIDR",
        .global([.string], .bool, Native.body { (text: String) in isValid(IPPrefix.init, text) })),
      Function(
        "string", .global([ip], .string, addressBody { .string($0.description) }),
        .global([cidr], .string, prefixBody { .string($0.description) })),
      Function("family", .member([ip], .int, addressBody { .int($0.isIPv4 ? 4 : 6) })),
      Function("isUnspecified", .member([ip], .bool, addressBody { .bool($0.isUnspecified) })),
      Function("isLoopback", .member([ip], .bool, addressBody { .bool($0.isLoopback) })),
      Function("isGlobalUnicast", .member([ip], .bool, addressBody { .bool($0.isGlobalUnicast) })),
      Function(
        "isLinkLocalUnicast", .member([ip], .bool, addressBody { .bool($0.isLinkLocalUnicast) })),
      Function(
        "isLinkLocalMulticast",
        .member([ip], .bool, addressBody { .bool($0.isLinkLocalMulticast) })),
      Function(
        "containsIP",
        .member(
          [cidr, ip], .bool,
          Native.body { (network: IPPrefix, other: IPAddress) in .bool(network.contains(other)) }),
        .member(
          [cidr, .string], .bool,
          Native.body { (network: IPPrefix, text: String) in
            address(text) { .bool(network.contains($0)) }
          })),
      Function(
        "containsCIDR",
        .member(
          [cidr, cidr], .bool,
          Native.body { (network: IPPrefix, other: IPPrefix) in .bool(network.contains(other)) }),
        .member(
          [cidr, .string], .bool,
          Native.body { (network: IPPrefix, text: String) in
            prefix(text) { .bool(network.contains($0)) }
          })),
      Function("prefixLength", .member([cidr], .int, prefixBody { .int(Int64($0.length)) })),
      Function("masked", .member([cidr], cidr, prefixBody { .cidr($0.masked) })),
      Function("isMask", .member([cidr], .bool, prefixBody { .bool($0.isMask) })),
    ],
    opaqueTypes: [ip, cidr])

  private static let ip = IPValue.type
  private static let cidr = CIDRValue.type

  private static func address(_ text: String, _ body: (IPAddress) -> Value) -> Value {
    do {
      return body(try IPAddress(parsing: text))
    } catch {
      return failure("IP address", text, error)
    }
  }

  private static func prefix(_ text: String, _ body: (IPPrefix) -> Value) -> Value {
    do {
      return body(try IPPrefix(parsing: text))
    } catch {
      return failure("address of a network", text, error)
    }
  }

  private static func failure(
    _ what: String, _ text: String, _ failure: IPAddress.Failure
  ) -> Value {
    let reason =
      switch failure {
      case .malformed: "\(text.quoted) is no \(what)"
      case .zone: "a zone is not allowed in an \(what): \(text.quoted)"
      case .mapped: "an IPv4 address mapped into IPv6 is not allowed: \(text.quoted)"
      }
    return .error(.invalidArgument, reason)
  }

  private static func isValid<T>(
    _ parse: (String) throws(IPAddress.Failure) -> T, _ text: String
  ) -> Value {
    do {
      _ = try parse(text)
      return true
    } catch {
      return false
    }
  }

  private static func addressBody(
    _ body: @escaping @Sendable (IPAddress) -> Value
  ) -> @Sendable (Value) -> Value { Native.body(body) }

  private static func prefixBody(
    _ body: @escaping @Sendable (IPPrefix) -> Value
  ) -> @Sendable (Value) -> Value { Native.body(body) }
}
