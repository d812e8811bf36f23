/// What a node means, as the checker found it.
enum Reference: Sendable {
  /// A loop's variable or accumulator.
  case local
  /// A declared variable, by its full name.
  case variable(String)
  case constant(Value)
  /// A call: the overloads that may be meant; with `isQualified` the target is part of the function's name.
  case call([Candidate], isQualified: Bool)
  /// In expressions that are not checked, a name that is not declared.
  case undeclared(String)
}
