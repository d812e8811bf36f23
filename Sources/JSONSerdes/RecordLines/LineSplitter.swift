/// Cuts a stream of bytes into lines, whatever the sizes of its pieces.
public struct LineSplitter {
  /// The beginning of a line whose end has not come yet.
  private var rest: [UInt8] = []
  /// Lines so far.
  private var count = 0

  public init() {}

  /// Calls `body` with each line that ends in `piece`, without its end, and with its number from
  /// 1 on. Lines of white space alone are counted and left out.
  public mutating func feed(
    _ piece: [UInt8], _ body: (_ line: [UInt8], _ number: Int) throws -> Void
  ) rethrows {
    var start = 0
    while let end = piece[start...].firstIndex(of: 0x0A) {
      rest += piece[start..<end]
      start = end + 1
      try take(body)
    }
    rest += piece[start...]
  }

  /// Calls `body` with a last line that has no end.
  public mutating func finish(
    _ body: (_ line: [UInt8], _ number: Int) throws -> Void
  ) rethrows {
    if !rest.isEmpty { try take(body) }
  }

  private mutating func take(_ body: ([UInt8], Int) throws -> Void) rethrows {
    let line = rest
    rest = []
    count += 1
    guard line.contains(where: { $0 > 0x20 }) else { return }
    try body(line, count)
  }
}
