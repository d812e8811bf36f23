/// A function by its name, with the overloads from which types of arguments choose.
///
///     Function("charAt", .member([.string, .int], .string) { text, index in … })
///     Function("math.abs", .global([.int], .int) { … }, .global([.double], .double) { … })
///
/// A qualified name (`math.abs`) is called as it is written; a declaration of the same function in
/// several libraries joins their overloads.
public struct Function: Sendable {
  public let name: String
  public let overloads: [Overload]

  public init(_ name: String, _ overloads: Overload...) { self.init(name, overloads) }

  public init(_ name: String, _ overloads: [Overload]) {
    self.name = name
    self.overloads = overloads
  }
}
