import JSONSerdes
import StreamCore

extension JSONView {
  /// Copies this object with one more member at its end, which counts where the name comes twice.
  ///
  /// - Parameter member: `,"name":value`.
  /// - Throws: ``StreamCore/SerdeError`` where this is no object.
  func copy(adding member: StaticString, to bytes: inout [UInt8]) throws {
    guard kind == .object else { throw error("expected an object") }
    var isEmpty = true
    for _ in try members() {
      isEmpty = false
      break
    }
    withBytes { text in
      text.withUnsafeBytes { bytes.append(contentsOf: $0.dropLast()) }
    }
    let text = UnsafeBufferPointer(start: member.utf8Start, count: member.utf8CodeUnitCount)
    bytes.append(contentsOf: isEmpty ? text[1...] : text[...])
    bytes.append(0x7D)
  }
}
