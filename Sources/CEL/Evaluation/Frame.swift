/// What an evaluation under way knows.
struct Frame {
  let bindings: any Bindings
  /// Variables and accumulators of loops, at the places that the compiler gave them.
  var locals: [Value]
  var budget: Budget
  /// What failed last, while ``Truth/failed`` is on its way.
  var failure: EvaluationError?
}

/// The result of a condition: a third state instead of an optional error, so that it fits a register.
enum Truth {
  case no, yes
  /// See ``Frame/failure``.
  case failed

  @inline(__always)
  init(_ holds: Bool) { self = holds ? .yes : .no }
}

extension Frame {
  @inline(__always)
  mutating func fail(_ error: EvaluationError) -> Truth {
    failure = error
    return .failed
  }

  /// The truth of a value that should be a bool.
  @inline(__always)
  mutating func truth(_ value: Value) -> Truth {
    if case .bool(let holds) = value { return Truth(holds) }
    return fail(
      value.error ?? EvaluationError(.noSuchOverload, "expected a bool, found \(value.type)"))
  }

  /// The value of a condition, which may be an argument of this very call: mutating, as ``failure`` is to be
  /// read after it. (Of a method that only reads, `self` is loaded before its arguments.)
  @inline(__always)
  mutating func value(_ truth: Truth) -> Value {
    switch truth {
    case .no: .bool(false)
    case .yes: .bool(true)
    case .failed: .error(failure ?? EvaluationError(.host, "an evaluation failed without an error"))
    }
  }
}
