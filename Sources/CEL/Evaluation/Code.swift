typealias ValueCode = @Sendable (inout Frame) -> Value
typealias TruthCode = @Sendable (inout Frame) -> Truth

/// A compiled node: closures that hold those of the nodes below.
struct Code: Sendable {
  let value: ValueCode
  /// For conditions, which then need no ``Value``.
  let truth: TruthCode
  /// The value, where it depends on nothing.
  let constant: Value?
  /// The number of what is read, where the node is nothing but that, and needs no test of its type.
  let slot: Int?
  /// What is returned where the slot is empty.
  let missing: Value

  init(slot: Int? = nil, missing: Value = .null, _ value: @escaping ValueCode) {
    self.value = value
    truth = { frame in frame.truth(value(&frame)) }
    constant = nil
    self.slot = slot
    self.missing = missing
  }

  init(truth: @escaping TruthCode) {
    self.truth = truth
    value = { frame in frame.value(truth(&frame)) }
    constant = nil
    slot = nil
    missing = .null
  }

  init(constant: Value) {
    self.constant = constant
    value = { _ in constant }
    truth = { frame in frame.truth(constant) }
    slot = nil
    missing = .null
  }

  /// An error wherever it is evaluated.
  init(failing error: EvaluationError) {
    self.init { _ in .error(error) }
  }
}
