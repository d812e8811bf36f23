/// What a misspelt name was meant to be.
enum Suggestion {
  /// `; did you mean 'x'?` for the name nearest to `name`, empty where none is near.
  static func text(_ name: String, among names: some Sequence<String>) -> String {
    guard name.utf8.count <= nameMax else { return "" }
    let limit = max(1, name.utf8.count / 3)
    var best: (distance: Int, name: String)?
    for candidate in names where candidate.utf8.count <= nameMax && candidate != name {
      guard abs(candidate.utf8.count - name.utf8.count) <= limit else { continue }
      let distance = distance(Array(name.utf8), Array(candidate.utf8))
      guard distance <= limit else { continue }
      // Of equally near names the first in the alphabet, whatever the order of a dictionary.
      if let best, (best.distance, best.name) <= (distance, candidate) { continue }
      best = (distance, candidate)
    }
    return best.map { "; did you mean '\($0.name)'?" } ?? ""
  }

  private static let nameMax = 64

  /// Letters to insert, delete, replace or swap with their neighbour; capitals count as their small letters.
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    let left = left.map(lowercased)
    let right = right.map(lowercased)
    var before: [Int] = []
    var row = Array(0...right.count)
    for (i, letter) in left.enumerated() {
      var next = [i + 1]
      for (j, other) in right.enumerated() {
        var cost = min(row[j] + (letter == other ? 0 : 1), row[j + 1] + 1, next[j] + 1)
        if i > 0, j > 0, letter == right[j - 1], left[i - 1] == other {
          cost = min(cost, before[j - 1] + 1)
        }
        next.append(cost)
      }
      before = row
      row = next
    }
    return row[right.count]
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
  }
}
