/// A command for the process that runs a topology.
package struct Request: Hashable, Sendable {
  /// Names it for ever: what has an effect is committed with this id, so that it has it once.
  package let id: String
  package let verb: String
  package let arguments: [String: String]

  package init(id: String, verb: String, arguments: [String: String]) {
    self.id = id
    self.verb = verb
    self.arguments = arguments
  }
}

/// What became of a request, or how far it is.
package struct Reply: Hashable, Sendable {
  package enum Outcome: String, Hashable, Sendable {
    /// It is being carried out; the message says how far it is.
    case running
    case done
    /// It failed at run time.
    case failed
    /// It was not begun, for the owner's state or topology is not what it was meant for.
    case refused
  }

  package let outcome: Outcome
  /// A line for people: what was done, or what went wrong and what to do.
  package let message: String

  package init(_ outcome: Outcome, _ message: String) {
    self.outcome = outcome
    self.message = message
  }

  package init(succeeded: Bool, message: String) {
    self.init(succeeded ? .done : .failed, message)
  }

  package var succeeded: Bool { outcome == .done }
}
