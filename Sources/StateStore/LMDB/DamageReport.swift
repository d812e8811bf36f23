import CFault
import CLMDB
import Glibc

/// The last words of a process that LMDB would end without any: it believes its pages, and there is
/// no way back out of its call.
package enum DamageReport {
  /// From now on a memory fault inside LMDB, or in a file it has mapped, ends the process with an
  /// error's line and status 5; all other faults are what they were. For a program, not a library.
  package static func install() { cfault_install() }

  /// Does the same where LMDB notices itself that a page is not of the kind it went for.
  @unsafe
  static func install(on handle: OpaquePointer) {
    unsafe mdb_env_set_assert(handle) { handle, assertion in
      var path: UnsafePointer<CChar>?
      unsafe mdb_env_get_path(handle, &path)
      let place = unsafe path.map { unsafe String(cString: $0) } ?? "an environment"
      let cause = unsafe assertion.map { unsafe String(cString: $0) } ?? "an assertion"
      let line = Array(
        "error: a data file is damaged: \(cause) (\(place)); rebuild that state, or restore that log from a copy\n"
          .utf8)
      _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
      // The command line's status for state that is refused.
      _exit(5)
    }
  }
}
