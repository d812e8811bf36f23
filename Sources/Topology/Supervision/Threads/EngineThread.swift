import Glibc
import StateStore

/// A thread of the engine: it blocks in LMDB and the log, where no Swift task may.
package final class EngineThread: Sendable {
  /// Of the whole process, once, before its first thread of ours.
  private static let heap: Void = ProcessMemory.shareHeap()

  private let isDone = Monitor(false)

  package init(_ body: @escaping @Sendable () -> Void) {
    _ = Self.heap
    let start = Start(body, isDone)
    var thread = pthread_t()
    let status = unsafe pthread_create(
      &thread, nil,
      { argument in
        // SAFETY: the box was retained for this thread alone, which takes it over here.
        guard let argument else { return nil }
        unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, unsafe Unmanaged.passRetained(start).toOpaque())
    precondition(status == 0, "the system gives no more threads")
    pthread_detach(thread)
  }

  /// Waits for the thread's end; what it held is let go by then.
  ///
  /// - Parameter limit: how long at most; `nil` for ever.
  /// - Returns: whether it has ended.
  @discardableResult
  func join(atMost limit: Duration? = nil) -> Bool {
    isDone.wait(atMost: limit) { $0 ? true : nil } ?? false
  }

  private final class Start: Sendable {
    private let body: Monitor<(@Sendable () -> Void)?>
    private let isDone: Monitor<Bool>

    init(_ body: @escaping @Sendable () -> Void, _ isDone: Monitor<Bool>) {
      self.body = Monitor(body)
      self.isDone = isDone
    }

    func run() {
      // The closure holds tasks, whose state others open once this thread is joined: it goes first.
      TrapReport.onThread { takeBody()?() }
      isDone.change { $0 = true }
    }

    private func takeBody() -> (@Sendable () -> Void)? {
      body.withLock { body in
        defer { body = nil }
        return body
      }
    }
  }
}

/// Hands an object over to the one thread that uses it from then on.
struct ThreadBound<Value>: @unchecked Sendable {
  // Invariant: whoever makes the box never touches the value again while that thread runs.
  let value: Value
  init(_ value: Value) { self.value = value }
}

extension EngineThread {
  /// Calls `body` for each item on a few threads, and waits for all of them.
  ///
  /// - Parameter stop: ends it before the next item, with ``TaskError`` `.stopped`.
  /// - Returns: the results in the items' order.
  /// - Throws: what `body` threw first; no further item is begun then.
  static func map<Item: Sendable, Result>(
    _ items: [Item], threads count: Int, stop: StopSignal,
    _ body: @escaping @Sendable (Item) throws -> Result
  ) throws -> [Result] {
    let work = Monitor(SharedWork<Result>(count: items.count))
    let threads = (0..<min(count, items.count)).map { _ in
      EngineThread {
        while let index = work.withLock({ $0.takeNext() }) {
          do {
            try stop.check("its start")
            let result = ThreadBound(try body(items[index]))
            work.withLock { $0.results[index] = result }
          } catch {
            work.withLock { if $0.failure == nil { $0.failure = error } }
          }
        }
      }
    }
    for thread in threads { thread.join() }
    return try work.withLock { work in
      if let failure = work.failure { throw failure }
      return work.results.compactMap { $0?.value }
    }
  }
}

/// Items that a few threads take one after the other.
private struct SharedWork<Result> {
  private var next = 0
  var results: [ThreadBound<Result>?]
  var failure: (any Error)?

  init(count: Int) { results = Array(repeating: nil, count: count) }

  mutating func takeNext() -> Int? {
    guard failure == nil, next < results.count else { return nil }
    defer { next += 1 }
    return next
  }
}
