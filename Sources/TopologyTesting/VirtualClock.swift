public import StreamCore
import Synchronization

/// A clock that only a test moves.
public final class VirtualClock: WallClock {
  private let time: Mutex<Timestamp>

  public init(_ start: Timestamp = .epoch) { time = Mutex(start) }

  public func now() -> Timestamp { time.withLock { $0 } }

  public func set(to time: Timestamp) { self.time.withLock { $0 = time } }

  public func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}

/// Messages of an engine, from any of its threads.
final class Notes: Sendable {
  private let messages = Mutex<[String]>([])

  func add(_ message: String) { messages.withLock { $0.append(message) } }
  var all: [String] { messages.withLock { $0 } }
}
