import StateStore

/// How far a task has come with a request, among the last ones: kept in a ring of words under
/// hashes of their ids, in the transactions of what they did. So after a crash a request goes on
/// where its last commit left it, and one that was carried out is not carried out again.
///
/// The ring is short: only those whose answers may have been lost can come again.
struct RequestMemory {
  private static let remembered = 8

  enum Progress: Equatable {
    case new
    /// Begun, and come up to here.
    case begun(upTo: Int64, of: Int64)
    case done
  }

  private let hash: Int64
  private let words: Words
  private let slots: [(hash: Int, upTo: Int, last: Int)]
  private let nextSlot: Int

  /// Outside a unit, for it registers words.
  init(_ id: String, in words: Words) {
    let bytes = Array(id.utf8)
    // 0 is an empty place.
    hash = Int64(bitPattern: max(1, hash64(bytes.span.bytes)))
    self.words = words
    slots = (0..<Self.remembered).map {
      (
        words.register("request.\($0)"), words.register("request.\($0).upTo"),
        words.register("request.\($0).last")
      )
    }
    nextSlot = words.register("request.next")
  }

  private var slot: (hash: Int, upTo: Int, last: Int)? { slots.first { words[$0.hash] == hash } }

  var progress: Progress {
    guard let slot else { return .new }
    return words[slot.upTo] == .max ? .done : .begun(upTo: words[slot.upTo], of: words[slot.last])
  }

  /// Takes a place in the ring, inside the interval of the first effect.
  func begin(of last: Int64) {
    let slot = slots[Int(words[nextSlot]) % Self.remembered]
    words[nextSlot] += 1
    (words[slot.hash], words[slot.upTo], words[slot.last]) = (hash, 0, last)
  }

  /// Inside the interval that has the effect.
  func note(upTo number: Int64) {
    if let slot { words[slot.upTo] = number }
  }

  func noteDone() { note(upTo: .max) }
}
