import Dispatch
import Synchronization

/// Runs `body` on that many threads at once and gives its results in order.
func concurrently<Result: Sendable>(
  _ count: Int, _ body: @escaping @Sendable (Int) throws -> Result
) throws -> [Result] {
  let results = Mutex<[Int: Swift.Result<Result, any Error>]>([:])
  DispatchQueue.concurrentPerform(iterations: count) { index in
    let result = Swift.Result { try body(index) }
    results.withLock { $0[index] = result }
  }
  return try results.withLock { results in
    try results.sorted { $0.key < $1.key }.map { try $0.value.get() }
  }
}
