import CEL
import CRE2

/// A compiled pattern.
///
/// `@unchecked Sendable`: RE2 objects are immutable to their users, "it is safe to use from multiple
/// threads" (re2.h), and the pointer is freed with the only owner.
@safe final class RE2Pattern: CompiledRegex, @unchecked Sendable {
  private let pattern: OpaquePointer

  init(_ text: String, memoryMax: Int64) throws(EvaluationError) {
    var text = text
    let compiled = text.withUTF8 { bytes in
      // SAFETY: RE2 copies the pattern.
      unsafe bytes.withMemoryRebound(to: CChar.self) {
        unsafe cre2_compile($0.baseAddress, $0.count, memoryMax)
      }
    }
    guard let compiled = unsafe compiled else {
      preconditionFailure("cre2_compile never returns NULL")
    }
    unsafe pattern = compiled
    // SAFETY: the message lives as long as the pattern.
    if let message = unsafe cre2_error(pattern) {
      let reason = unsafe String(cString: message)
      throw EvaluationError(.invalidArgument, "'\(text)' is no regular expression: \(reason)")
    }
  }

  deinit { unsafe cre2_free(pattern) }

  var size: Int { unsafe Int(cre2_program_size(pattern)) }

  func isFound(in text: String) -> Bool {
    var text = text
    return text.withUTF8 { bytes in
      // SAFETY: the bytes are read during the call only.
      unsafe bytes.withMemoryRebound(to: CChar.self) {
        unsafe cre2_match(pattern, $0.baseAddress, $0.count, 0, nil, 0)
      }
    }
  }
}
