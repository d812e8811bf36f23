import StateStore
import StreamCore

extension Hash128 {
  /// An id that depends on another and on a text, the same in every run.
  static func derived(from id: Hash128, _ text: String) -> Hash128 {
    Hash128(Array(text.utf8).span.bytes, scope: id.high ^ id.low)
  }

  static let zero = Hash128(high: 0, low: 0)

  /// 32 hexadecimal digits.
  var hexadecimal: String { Self.hexadecimal(high) + Self.hexadecimal(low) }

  private static func hexadecimal(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
