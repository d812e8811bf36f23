import CTrap
import Glibc

/// Writes down which unit ran where user code ends the process: the handler of the signal appends
/// one line to `STATE/TOPOLOGY/trapped`.
///
/// For a program, not a library: a service that hosts topologies keeps its own handlers.
package enum TrapReport {
  /// To be called once, before handlers that are to be asked first.
  package static func install() { ctrap_install() }

  /// Runs `body` on a thread whose overflowing stack is noticed, too.
  package static func onThread<Result>(_ body: () throws -> Result) rethrows -> Result {
    let stack = unsafe ctrap_begin_thread()
    defer { unsafe ctrap_end_thread(stack) }
    return try body()
  }
}

/// Names the units of one input of a task to the handler.
///
/// Invariant: it outlives each unit that it is entered for; what the handler reads is made once and
/// freed with it.
package final class TrapSite {
  private let site: UnsafeMutablePointer<ctrap_site>

  /// - Parameters:
  ///   - path: of the topology's file of trapped units.
  ///   - input: an input, or an operator whose firings these are.
  package init(path: String, generation: Int, task: String, input: String) {
    unsafe site = .allocate(capacity: 1)
    unsafe site.initialize(
      to: ctrap_site(
        path: strdup(path),
        prefix: strdup(TrappedUnit.prefix(generation: generation, task: task, input: input))))
  }

  deinit {
    unsafe free(UnsafeMutableRawPointer(mutating: site.pointee.path))
    unsafe free(UnsafeMutableRawPointer(mutating: site.pointee.prefix))
    unsafe site.deallocate()
  }

  /// Runs user code for a unit: a few stores, and nothing else while it does not trap.
  package func run<Result>(offset: Int64, unit: Int64, _ body: () throws -> Result) rethrows
    -> Result
  {
    unsafe ctrap_enter(site, offset, unit)
    defer { ctrap_leave() }
    return try body()
  }
}
