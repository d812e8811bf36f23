import Glibc
import StateStore
import StreamCore

/// Something to be written in a transaction that it may share with others.
protocol WriteRequest: AnyObject {
  /// Roughly what it will write.
  var bytes: Int { get }
  /// What readers have to look at once it is committed; asked after ``write(_:)``.
  var change: WakeFile.Change { get }
  /// Looks whether it can be done. A ``LogError`` thrown here fails this request alone.
  func check(_ transaction: Transaction) throws
  /// Writes; called after ``check(_:)`` and, where a transaction is repeated, anew after it.
  func write(_ transaction: Transaction) throws
}

/// Commits what several threads want written in one transaction: one that finds nobody at it
/// leads, and commits for all that wait by then.
///
/// `@unchecked Sendable`: every field is touched under the mutex alone; a request belongs to the
/// leader from when it is taken to when its outcome is set, and its caller waits meanwhile.
@safe
final class GroupCommit: @unchecked Sendable {
  private final class Waiting {
    let request: any WriteRequest
    var outcome: Result<Void, any Error>?
    init(_ request: any WriteRequest) { self.request = request }
  }

  private static let bytesMax = 64 << 20
  private static let staleReadersEvery = Duration.seconds(30)

  private let environment: Environment
  private let committed: @Sendable (WakeFile.Change) -> Void
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var waiting: [Waiting] = []
  private var hasLeader = false
  private var staleReadersAt = ContinuousClock.now

  /// - Parameter committed: called after each commit, before anyone's call returns.
  init(
    _ environment: Environment, committed: @escaping @Sendable (WakeFile.Change) -> Void
  ) {
    self.environment = environment
    self.committed = committed
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe changed.initialize(to: pthread_cond_t())
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(changed, nil)
  }

  deinit {
    unsafe pthread_cond_destroy(changed)
    unsafe pthread_mutex_destroy(mutex)
    unsafe changed.deallocate()
    unsafe mutex.deallocate()
  }

  /// Returns once the request is durable.
  ///
  /// - Throws: what its check threw, or the error of the transaction: then nothing was written.
  func perform(_ request: any WriteRequest) throws {
    let mine = Waiting(request)
    unsafe pthread_mutex_lock(mutex)
    waiting.append(mine)
    while mine.outcome == nil && hasLeader { unsafe pthread_cond_wait(changed, mutex) }
    if mine.outcome == nil {
      hasLeader = true
      while mine.outcome == nil { lead() }
      hasLeader = false
      unsafe pthread_cond_broadcast(changed)
    }
    unsafe pthread_mutex_unlock(mutex)
    try mine.outcome?.get()
  }

  /// Commits one group; called and left with the mutex held.
  private func lead() {
    unsafe pthread_mutex_unlock(mutex)
    var group: [Waiting] = []
    var refused: [Int: LogError] = [:]
    var failure: (any Error)?
    do {
      var isDone = false
      while !isDone {
        do {
          try commit(&group, &refused)
          isDone = true
        } catch let error as StoreError where error.code == .mapFull {
          try environment.grow()
        }
      }
    } catch {
      failure = error
    }
    if failure == nil {
      let done = group.indices.lazy.filter { refused[$0] == nil }
      committed(done.map { group[$0].request.change }.reduce(.nothing) { $0.and($1) })
    }
    clearStaleReaders()
    unsafe pthread_mutex_lock(mutex)
    // An environment that gives no transaction fails all that wait.
    if group.isEmpty { group = take() }
    for (index, member) in group.enumerated() {
      if let error = refused[index] ?? failure {
        member.outcome = .failure(error)
      } else {
        member.outcome = .success(())
      }
    }
    unsafe pthread_cond_broadcast(changed)
  }

  /// What waits, up to a size; called with the mutex held.
  private func take() -> [Waiting] {
    var bytes = 0
    var count = 0
    for member in waiting {
      bytes += member.request.bytes
      if count > 0 && bytes > Self.bytesMax { break }
      count += 1
    }
    let taken = Array(waiting[..<count])
    waiting.removeFirst(count)
    return taken
  }

  /// - Parameter refused: the requests whose check failed, by their place in the group.
  private func commit(_ group: inout [Waiting], _ refused: inout [Int: LogError]) throws {
    let transaction = try WriteTransaction(environment)
    if group.isEmpty {
      // Only now, as another process may have kept us waiting and others have come meanwhile.
      unsafe pthread_mutex_lock(mutex)
      group = take()
      unsafe pthread_mutex_unlock(mutex)
    }
    refused = [:]
    for (index, member) in group.enumerated() {
      do {
        try member.request.check(transaction.operations)
      } catch let error as LogError {
        refused[index] = error
        continue
      }
      try member.request.write(transaction.operations)
    }
    if refused.count < group.count { try transaction.commit() } else { transaction.abort() }
  }

  /// A reader that was killed would keep every page freed since from being used again.
  private func clearStaleReaders() {
    let now = ContinuousClock.now
    guard now - staleReadersAt >= Self.staleReadersEvery else { return }
    staleReadersAt = now
    do throws(StoreError) { try environment.clearStaleReaders() } catch {
      // The pages are lost to us until the next attempt; the append itself is done.
    }
  }
}
