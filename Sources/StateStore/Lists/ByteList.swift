/// Runs of bytes one after another in one arena, cut back at its end.
struct ByteList {
  private var arena: [UInt8] = []
  private var ends: [Int] = []

  var count: Int { ends.count }
  var bytes: Int { arena.count }

  private func range(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : ends[index - 1])..<ends[index]
  }

  mutating func append(_ bytes: RawSpan) {
    arena.append(bytes)
    ends.append(arena.count)
  }

  mutating func append(tag: UInt8, _ bytes: RawSpan) {
    arena.append(tag)
    append(bytes)
  }

  subscript(index: Int) -> [UInt8] { [UInt8](arena[range(index)]) }

  func byteCount(_ index: Int) -> Int { range(index).count }

  func with<Result>(
    _ index: Int, _ body: (RawSpan) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    try body(arena.raw.extracting(range(index)))
  }

  /// Keeps the first `count` runs.
  mutating func cut(to count: Int) {
    if count == ends.count { return }
    ends.removeLast(ends.count - count)
    arena.removeLast(arena.count - (ends.last ?? 0))
  }

  mutating func removeAll() {
    arena.empty()
    ends.empty()
  }
}
