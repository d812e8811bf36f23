import StateStore
import StreamCore
import Topology

/// An error as the user reads it: `error: what (where); what to do`.
struct Failure: Error, CustomStringConvertible {
  let status: ExitStatus
  let description: String

  init(_ status: ExitStatus, _ what: String, at place: String? = nil, todo: String? = nil) {
    self.status = status
    description = what + (place.map { " (\($0))" } ?? "") + (todo.map { "; \($0)" } ?? "")
  }

  /// A wrong command line that the parser alone cannot see.
  static func usage(_ what: String, todo: String) -> Failure {
    Failure(.usage, what, at: "command line", todo: todo)
  }

  /// Any error of the engine, with the status that its code stands for.
  init(_ error: any Error) {
    switch error {
    case let failure as Failure: self = failure
    case let error as StoreError:
      self.init(Self.status(of: error.code), Self.place(error.store, in: error.message))
    case let error as LogError: self.init(Self.status(of: error.code), error.message)
    case let error as TaskError: self.init(Self.status(of: error.code), error.description)
    case let error as TopologyError: self.init(.invalid, error.description)
    default: self.init(.failed, "\(error)")
    }
  }

  /// Puts where it happened between what happened and what to do.
  private static func place(_ place: String, in message: String) -> String {
    if place.isEmpty || message.contains(place) { return message }
    let parts = message.split(separator: "; ", maxSplits: 1)
    return parts.count == 2 ? "\(parts[0]) (\(place)); \(parts[1])" : "\(message) (\(place))"
  }

  private static func status(of code: StoreError.Code) -> ExitStatus {
    switch code {
    case .corrupted, .newer, .older, .foreign, .lineageChanged, .readOnly, .missing: .stateRefused
    case .locked: .locked
    case .invalid: .invalid
    default: .failed
    }
  }

  private static func status(of code: LogError.Code) -> ExitStatus {
    switch code {
    case .unreachable, .topicMissing, .partitionMissing, .offsetOutOfRange, .corrupt: .logRefused
    case .fenced: .locked
    case .topicExists, .recordRejected, .invalid, .unsupported: .invalid
    default: .failed
    }
  }

  private static func status(of code: TaskError.Code) -> ExitStatus {
    switch code {
    case .recordsGone, .diverged: .logRefused
    case .notCopartitioned: .invalid
    default: .failed
    }
  }
}
