import Crypto
import StreamCore

/// What a view holds, in one number: the sum modulo 2^256 of the SHA-256 of each row.
///
/// It does not depend on the order of rows, so partitions can be added up, nor on commits, threads
/// or machines.
package struct ViewDigest: Hashable, Sendable {
  package let name: String
  package private(set) var rows = 0
  /// Least significant word first.
  private var words: [UInt64] = [0, 0, 0, 0]

  package init(_ name: String) { self.name = name }

  /// 64 hexadecimal digits.
  package var hexadecimal: String {
    words.reversed().map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  /// Adds a row: SHA-256 over name, key and row, each behind its length as eight bytes.
  package mutating func add(key: [UInt8], row: [UInt8]) {
    var hash = SHA256()
    for part in [Array(name.utf8), key, row] {
      unsafe withUnsafeBytes(of: UInt64(part.count).bigEndian) {
        unsafe hash.update(bufferPointer: $0)
      }
      hash.update(data: part)
    }
    var carry: UInt64 = 0
    for (index, word) in Self.words(Array(hash.finalize())).enumerated() {
      let (sum, first) = words[index].addingReportingOverflow(word)
      let (total, second) = sum.addingReportingOverflow(carry)
      words[index] = total
      carry = first || second ? 1 : 0
    }
    rows += 1
  }

  /// Adds all rows of another part, or of another view for a total.
  package mutating func add(_ other: ViewDigest) {
    var carry: UInt64 = 0
    for index in words.indices {
      let (sum, first) = words[index].addingReportingOverflow(other.words[index])
      let (total, second) = sum.addingReportingOverflow(carry)
      words[index] = total
      carry = first || second ? 1 : 0
    }
    rows += other.rows
  }

  private static func words(_ bytes: [UInt8]) -> [UInt64] {
    stride(from: 24, through: 0, by: -8).map { start in
      bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }
  }
}
