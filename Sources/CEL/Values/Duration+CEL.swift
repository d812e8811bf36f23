extension Duration {
  /// Nanoseconds, or `nil` beyond 64 bits, the range of CEL's durations.
  var celNanoseconds: Int64? {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow else { return nil }
    let (sum, carry) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
    return carry ? nil : sum
  }

  /// Seconds with as many digits behind the point as are needed: `90s`, `-0.5s`.
  var celText: String {
    let (seconds, attoseconds) = components
    let sign = seconds < 0 || attoseconds < 0 ? "-" : ""
    let nanoseconds = (attoseconds / 1_000_000_000).magnitude
    guard nanoseconds > 0 else { return "\(sign)\(seconds.magnitude)s" }
    var fraction = String(nanoseconds)
    fraction = String(repeating: "0", count: 9 - fraction.count) + fraction
    while fraction.hasSuffix("0") { fraction.removeLast() }
    return "\(sign)\(seconds.magnitude).\(fraction)s"
  }
}
