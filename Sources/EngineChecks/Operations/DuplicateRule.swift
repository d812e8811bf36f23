/// Which records of one input are applied where nothing fails and ids are kept for a while: the
/// rule of DESIGN's "Seen event ids", over a list.
struct DuplicateRule {
  private struct Entry {
    let id: String
    let uid: Int
    let number: Int
    let time: Int64
  }

  let ids: SiteShape.IDs
  private var entries: [Entry] = []
  /// `nil` before there is one.
  private(set) var streamTime: Int64?

  init(_ ids: SiteShape.IDs) { self.ids = ids }

  /// Whether the next record of the input is applied.
  mutating func admits(_ record: SiteRecord) -> Bool {
    if !record.isAhead { streamTime = max(streamTime ?? .min, record.time) }
    // Before there is a stream time, it is the log's.
    let now = streamTime ?? record.logTime
    let isKnown = entries.contains { entry in
      guard entry.id == record.id, entry.uid == record.uid else { return false }
      switch ids {
      case .forever: return true
      // The newest so many: the entry's own number counts.
      case .count(let count): return entries.count - entry.number <= count
      case .age(let milliseconds): return now - entry.time <= milliseconds
      }
    }
    if isKnown { return false }
    entries.append(Entry(id: record.id, uid: record.uid, number: entries.count, time: now))
    return true
  }
}
