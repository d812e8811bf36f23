/// Where a program finds the values that it reads.
///
/// A program numbers what it reads, see ``Program/reads``; a host answers by number, so that it looks no name
/// up while an expression is evaluated, and decodes nothing that is not asked for.
///
///     final class Order: Bindings {            // for a program that reads value.total and value.status
///       func value(at slot: Int) -> Value? { slot == 0 ? .double(total) : .string(status) }
///     }
public protocol Bindings: AnyObject {
  /// The value of `reads[slot]`.
  ///
  /// - Returns: `nil` where the last name of its path is missing, or a variable has no value; an error
  ///   where an earlier one is, or is nothing that has fields.
  func value(at slot: Int) -> Value?

  /// Whether `reads[slot]` is there, for `has(…)`: a bool, or an error where an earlier name of its path is missing.
  func presence(at slot: Int) -> Value
}

extension Bindings {
  public func presence(at slot: Int) -> Value {
    switch value(at: slot) {
    case nil: false
    case .error(let error): .error(error)
    default: true
    }
  }
}

/// Variables with their values, by name.
final class VariableBindings: Bindings {
  private let values: [String: Value]
  private let reads: [FieldRead]

  init(_ values: [String: Value], _ reads: [FieldRead]) {
    self.values = values
    self.reads = reads
  }

  func value(at slot: Int) -> Value? {
    let read = reads[slot]
    guard var value = values[read.variable] else { return nil }
    for (index, field) in read.path.enumerated() {
      guard let next = Selection.value(of: value, field) else {
        return index == read.path.count - 1 ? nil : Selection.missing(field)
      }
      value = next
    }
    return value
  }

  func presence(at slot: Int) -> Value {
    let read = reads[slot]
    guard var value = values[read.variable] else { return false }
    for (index, field) in read.path.enumerated() {
      if index == read.path.count - 1 { return Selection.presence(in: value, field) }
      guard let next = Selection.value(of: value, field) else { return Selection.missing(field) }
      value = next
    }
    return true
  }
}
