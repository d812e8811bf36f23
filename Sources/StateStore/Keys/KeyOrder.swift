/// Runs up to this length are sorted by comparison.
private let shortRun = 24

/// Puts many byte strings in order: by eight bytes at a time, with a radix sort.
///
/// Strings with the same eight bytes, behind what all of them begin with, are put in order among
/// themselves in the same way.
@unsafe
package struct KeyOrder {
  private struct Item {
    /// Eight bytes of the string, the first the highest; zeros behind its end.
    var word: UInt64
    var position: Int32
  }
  private typealias Run = UnsafeMutableBufferPointer<Item>

  private let bytes: UnsafeRawBufferPointer
  private let ranges: [Range<Int32>]

  /// The positions of strings of `bytes`, in the strings' order; equal ones keep theirs.
  ///
  /// - Parameter ranges: where they lie.
  package static func positions(of ranges: [Range<Int32>], in bytes: RawSpan) -> [Int32] {
    var items = ranges.indices.map { Item(word: 0, position: Int32(truncatingIfNeeded: $0)) }
    var spare = items
    unsafe bytes.withUnsafeBytes { bytes in
      let order = unsafe KeyOrder(bytes: bytes, ranges: ranges)
      unsafe items.withUnsafeMutableBufferPointer { items in
        unsafe spare.withUnsafeMutableBufferPointer { unsafe order.sort(items, $0, depth: 0) }
      }
    }
    return items.map(\.position)
  }

  /// The positions of numbers from 0 up, in the numbers' order.
  package static func positions(of numbers: [Int64]) -> [Int32] {
    var items = numbers.indices.map {
      Item(word: UInt64(bitPattern: numbers[$0]), position: Int32(truncatingIfNeeded: $0))
    }
    var spare = items
    unsafe items.withUnsafeMutableBufferPointer { items in
      unsafe spare.withUnsafeMutableBufferPointer { unsafe sortByWord(items, $0) }
    }
    return items.map(\.position)
  }

  /// - Parameter depth: bytes that the strings are known to share.
  private func sort(_ run: Run, _ spare: Run, depth: Int) {
    if run.count <= shortRun { return unsafe sortByComparison(run) }
    let shared = unsafe shared(run, depth)
    for index in run.indices { unsafe run[index].word = word(run[index], shared) }
    unsafe Self.sortByWord(run, spare)
    var start = 0
    while start < run.count {
      var end = start + 1
      while end < run.count, unsafe run[end].word == run[start].word { end += 1 }
      let equals = unsafe Run(rebasing: run[start..<end])
      if equals.count == run.count {
        // Strings that end among zeros share no more than before.
        unsafe sortByComparison(equals)
      } else if equals.count > 1 {
        unsafe sort(equals, Run(rebasing: spare[start..<end]), depth: shared)
      }
      start = end
    }
  }

  private func string(_ item: Item) -> UnsafeRawBufferPointer {
    let range = unsafe ranges[Int(item.position)]
    return unsafe UnsafeRawBufferPointer(
      rebasing: bytes[Int(range.lowerBound)..<Int(range.upperBound)])
  }

  /// Eight bytes of a string from `depth` on.
  private func word(_ item: Item, _ depth: Int) -> UInt64 {
    let string = unsafe string(item)
    // SAFETY: the load ends where the string does, at the latest.
    if depth + 8 <= string.count {
      return unsafe UInt64(
        bigEndian: string.loadUnaligned(fromByteOffset: depth, as: UInt64.self))
    }
    var word: UInt64 = 0
    for offset in depth..<(depth + 8) {
      word = unsafe word << 8 | (offset < string.count ? UInt64(string[offset]) : 0)
    }
    return word
  }

  /// How many bytes all strings of a run begin with, `depth` at least.
  private func shared(_ run: Run, _ depth: Int) -> Int {
    let first = unsafe run[0]
    var shared = unsafe string(first).count
    for index in run.indices {
      let item = unsafe run[index]
      shared = unsafe min(shared, string(item).count)
      var length = depth
      while length < shared {
        let difference = unsafe word(first, length) ^ word(item, length)
        if difference != 0 {
          shared = min(shared, length + difference.leadingZeroBitCount / 8)
          break
        }
        length += 8
      }
    }
    return shared
  }

  private func sortByComparison(_ run: Run) {
    var run = unsafe run
    unsafe run.sort { unsafe precedes(string($0).bytes, string($1).bytes) }
  }

  /// One pass a byte in which the words differ, from the lowest.
  private static func sortByWord(_ run: Run, _ spare: Run) {
    var run = unsafe run
    if run.count <= shortRun { return unsafe run.sort { $0.word < $1.word } }
    var (source, target) = unsafe (run, spare)
    let first = unsafe source[0].word
    var difference: UInt64 = 0
    for index in run.indices { unsafe difference |= source[index].word ^ first }
    var isInSpare = false
    for shift in stride(from: 0, to: UInt64(64), by: 8) where difference >> shift & 0xFF != 0 {
      var starts = InlineArray<256, Int>(repeating: 0)
      for index in run.indices { unsafe starts[Int(source[index].word >> shift & 0xFF)] += 1 }
      var start = 0
      for digit in 0..<256 {
        let count = starts[digit]
        starts[digit] = start
        start += count
      }
      for index in run.indices {
        let item = unsafe source[index]
        let digit = Int(item.word >> shift & 0xFF)
        unsafe target[starts[digit]] = item
        starts[digit] += 1
      }
      unsafe swap(&source, &target)
      isInSpare.toggle()
    }
    if isInSpare { unsafe _ = run.update(fromContentsOf: spare) }
  }
}
