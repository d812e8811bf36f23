/// Runs of bytes one after another, cut back at their end.
///
/// They lie in chunks, so that a long list is never copied to grow, and what it took is given back
/// in pieces that others can use.
struct ByteList {
  private struct Run {
    let chunk: Int32
    let start: Int32
    let count: Int32
  }

  private static let chunkBytes = 1 << 20

  private var chunks: [[UInt8]] = []
  private var runs: [Run] = []
  /// Of all runs.
  private(set) var bytes = 0

  var count: Int { runs.count }

  /// Begins a run of so many bytes at the end of a chunk that has room for it.
  private mutating func begin(_ count: Int) -> Int {
    var chunk = chunks.count - 1
    // The first chunk grows as a small list does.
    if chunk < 0 || !chunks[chunk].isEmpty && chunks[chunk].count + count > Self.chunkBytes {
      chunk += 1
      chunks.append([])
      if chunk > 0 { chunks[chunk].reserveCapacity(max(count, Self.chunkBytes)) }
    }
    runs.append(
      Run(
        chunk: Int32(truncatingIfNeeded: chunk),
        start: Int32(truncatingIfNeeded: chunks[chunk].count),
        count: Int32(truncatingIfNeeded: count)))
    bytes += count
    return chunk
  }

  mutating func append(_ bytes: RawSpan) {
    let chunk = begin(bytes.byteCount)
    chunks[chunk].append(bytes)
  }

  mutating func append(tag: UInt8, _ bytes: RawSpan) {
    let chunk = begin(1 + bytes.byteCount)
    chunks[chunk].append(tag)
    chunks[chunk].append(bytes)
  }

  private func range(_ run: Run) -> Range<Int> { Int(run.start)..<Int(run.start + run.count) }

  subscript(index: Int) -> [UInt8] {
    [UInt8](chunks[Int(runs[index].chunk)][range(runs[index])])
  }

  func byteCount(_ index: Int) -> Int { Int(runs[index].count) }

  func with<Result>(
    _ index: Int, _ body: (RawSpan) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    let chunk = chunks[Int(runs[index].chunk)]
    return try body(chunk.raw.extracting(range(runs[index])))
  }

  /// Keeps the first `count` runs.
  mutating func cut(to count: Int) {
    if count == runs.count { return }
    while runs.count > count {
      let run = runs.removeLast()
      bytes -= Int(run.count)
      chunks[Int(run.chunk)].removeLast(Int(run.count))
    }
    let used = runs.last.map { Int($0.chunk) + 1 } ?? 1
    if chunks.count > used { chunks.removeLast(chunks.count - used) }
  }

  mutating func removeAll() {
    if chunks.count > 1 { chunks.removeLast(chunks.count - 1) }
    if !chunks.isEmpty { chunks[0].removeAll(keepingCapacity: true) }
    runs.empty()
    bytes = 0
  }
}
