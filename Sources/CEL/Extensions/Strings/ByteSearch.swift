/// Looks for a text's bytes in another's. A match begins at a code point, as UTF-8 synchronizes itself.
///
/// Time is linear in both (Knuth, Morris and Pratt), whatever the texts.
struct ByteSearch {
  private let needle: [UInt8]
  /// For each prefix, the length of its longest proper prefix that is also its suffix.
  private let borders: [Int]

  init(_ needle: String) { self.init(Array(needle.utf8)) }

  private init(_ needle: [UInt8]) {
    self.needle = needle
    var borders = [Int](repeating: 0, count: needle.count)
    var matched = 0
    for index in needle.indices.dropFirst() {
      while matched > 0, needle[index] != needle[matched] { matched = borders[matched - 1] }
      if needle[index] == needle[matched] { matched += 1 }
      borders[index] = matched
    }
    self.borders = borders
  }

  /// Bytes of what is looked for.
  var count: Int { needle.count }

  /// Where the first match at or behind `start` begins.
  func first(in text: [UInt8], from start: Int) -> Int? {
    guard !needle.isEmpty else { return start }
    var matched = 0
    for index in start..<max(text.count, start) {
      while matched > 0, text[index] != needle[matched] { matched = borders[matched - 1] }
      if text[index] == needle[matched] { matched += 1 }
      if matched == needle.count { return index + 1 - matched }
    }
    return nil
  }

  /// Where the last match that begins at or before `end` begins.
  func last(in text: [UInt8], upTo end: Int) -> Int? {
    guard !needle.isEmpty else { return end }
    let reach = min(text.count, end + needle.count)
    let reversed = ByteSearch(needle.reversed())
    guard let offset = reversed.first(in: text[..<reach].reversed(), from: 0) else { return nil }
    return reach - offset - needle.count
  }
}
