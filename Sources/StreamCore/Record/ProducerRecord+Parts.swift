extension [ProducerRecord] {
  /// Runs of records, in order, that each hold no more than `bytesMax` by their
  /// ``ProducerRecord/byteCount``; a larger record stands alone.
  package func parts(ofBytes bytesMax: Int) -> [Range<Int>] {
    var parts: [Range<Int>] = []
    var first = 0
    var bytes = 0
    for (index, record) in enumerated() {
      let size = record.byteCount
      if index > first && bytes + size > bytesMax {
        parts.append(first..<index)
        first = index
        bytes = 0
      }
      bytes += size
    }
    if first < count { parts.append(first..<count) }
    return parts
  }
}
