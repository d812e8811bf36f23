typealias ValueCode = @Sendable (inout Frame) -> Value
typealias TruthCode = @Sendable (inout Frame) -> Truth

/// A compiled node: closures that hold those of the nodes below.
struct Code: Sendable {
  let value: ValueCode
  /// For conditions, which then need no ``Value``.
  let truth: TruthCode
  /// Whether ``truth`` is the shorter way, as ``value`` only wraps it.
  let isCondition: Bool
  /// The value, where it depends on nothing.
  let constant: Value?
  /// The number of what is read, where the node is nothing but that, and needs no test of its type.
  let slot: Int?
  /// What is returned where the slot is empty.
  let missing: Value

  init(slot: Int? = nil, missing: Value = .null, _ value: @escaping ValueCode) {
    self.value = value
    truth = { frame in frame.truth(value(&frame)) }
    isCondition = false
    constant = nil
    self.slot = slot
    self.missing = missing
  }

  init(truth: @escaping TruthCode) {
    self.truth = truth
    isCondition = true
    value = { frame in
      // Not in one expression, which would read the frame's error before there is one.
      let truth = truth(&frame)
      return frame.value(truth)
    }
    constant = nil
    slot = nil
    missing = .null
  }

  init(constant: Value) {
    self.constant = constant
    value = { _ in constant }
    truth = { frame in frame.truth(constant) }
    isCondition = false
    slot = nil
    missing = .null
  }

  /// An error wherever it is evaluated.
  init(failing error: EvaluationError) {
    self.init { _ in .error(error) }
  }
}
