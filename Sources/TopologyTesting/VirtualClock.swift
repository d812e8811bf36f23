public import StreamCore
import Synchronization

/// Clocks that only a test moves.
public final class VirtualClock: WallClock {
  private struct Times {
    var wall: Timestamp
    var monotonic = MonotonicTime(nanoseconds: 0)
  }
  private let times: Mutex<Times>

  public init(_ start: Timestamp = .epoch) { times = Mutex(Times(wall: start)) }

  public func now() -> Timestamp { times.withLock { $0.wall } }
  public func monotonicNow() -> MonotonicTime { times.withLock { $0.monotonic } }

  /// Sets the time of day; no time passes.
  public func set(to time: Timestamp) { times.withLock { $0.wall = time } }

  /// Lets time pass; a duration below zero puts the time of day back and nothing else.
  public func advance(by duration: Duration) {
    times.withLock { times in
      times.wall = times.wall + duration
      if duration > .zero { times.monotonic = times.monotonic + duration }
    }
  }
}

/// Messages of an engine, from any of its threads.
final class Notes: Sendable {
  private let messages = Mutex<[String]>([])

  func add(_ message: String) { messages.withLock { $0.append(message) } }
  var all: [String] { messages.withLock { $0 } }
}
