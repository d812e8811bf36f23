/// A bar on a terminal; nothing elsewhere.
final class ProgressBar {
  private let label: String
  private let total: Int
  private var lastPermille = -1
  private let isShown: Bool

  init(_ label: String, of total: Int) {
    self.label = label
    self.total = max(total, 1)
    isShown = StandardError.isTerminal
  }

  func update(_ done: Int) {
    let permille = min(1_000, done * 1_000 / total)
    guard isShown, permille != lastPermille else { return }
    lastPermille = permille
    let filled = permille * 30 / 1_000
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
    StandardError.write("\r\(label) [\(bar)] \(permille / 10) % ")
  }

  /// Takes the bar away.
  func finish() {
    if isShown { StandardError.write("\r\u{1B}[K") }
  }
}
