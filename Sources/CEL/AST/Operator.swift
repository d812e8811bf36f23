/// The names under which operators are functions (cel-spec, "Operator functions").
public enum Operator {
  public static let conditional = "_?_:_"
  public static let or = "_||_"
  public static let and = "_&&_"
  public static let not = "!_"
  public static let negate = "-_"
  public static let equal = "_==_"
  public static let notEqual = "_!=_"
  public static let less = "_<_"
  public static let lessOrEqual = "_<=_"
  public static let greater = "_>_"
  public static let greaterOrEqual = "_>=_"
  public static let add = "_+_"
  public static let subtract = "_-_"
  public static let multiply = "_*_"
  public static let divide = "_/_"
  public static let remainder = "_%_"
  public static let contained = "@in"
  public static let index = "_[_]"
  /// `operand[?key]`
  public static let optionalIndex = "_[?_]"
  /// In folds: true unless the argument is false, also where it is an error.
  public static let notStrictlyFalse = "@not_strictly_false"
  /// In folds: `@append(list, element)`, in place where nothing else holds the list.
  public static let append = "@append"
  /// In folds: `@insert(map, key, value)` or `@insert(map, entries)`, an error where a key comes twice.
  public static let insert = "@insert"

  /// How a binary operator is written, with its precedence: 1 for `||` up to 5 for `*`.
  static let binary: [String: (symbol: String, precedence: Int)] = [
    or: ("||", 1), and: ("&&", 2),
    equal: ("==", 3), notEqual: ("!=", 3), less: ("<", 3), lessOrEqual: ("<=", 3),
    greater: (">", 3), greaterOrEqual: (">=", 3), contained: ("in", 3),
    add: ("+", 4), subtract: ("-", 4), multiply: ("*", 5), divide: ("/", 5), remainder: ("%", 5),
  ]
}
