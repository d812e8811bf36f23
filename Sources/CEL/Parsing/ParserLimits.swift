/// How large an expression may be: what is beyond is an error, not a long wait or a deep stack.
public struct ParserLimits: Sendable, Hashable {
  /// The most bytes of UTF-8.
  public var lengthMax: Int
  /// The most nodes on a path through the tree, macros expanded: nested parentheses, but also the
  /// terms of a sum. Chains of `&&` and `||` count as their logarithm.
  ///
  /// 250 levels of any kind take less than 1 MiB of stack in an optimized build, 4 MiB in a debug one;
  /// a host whose threads have less says fewer.
  public var depthMax: Int

  public init(lengthMax: Int = 100_000, depthMax: Int = 250) {
    self.lengthMax = lengthMax
    self.depthMax = depthMax
  }
}
