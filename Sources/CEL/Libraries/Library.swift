/// Functions, macros, constants and types that an ``Environment`` takes in as one.
public struct Library: Sendable {
  /// For error messages; a library is taken in once, also where it is named twice.
  public let name: String
  public var functions: [Function]
  public var macros: [Macro]
  public var constants: [Constant]
  public var types: [ObjectType]
  /// Names of abstract types, which an expression may use as values: `type(x) == net.IP`.
  public var opaqueTypes: [CELType]

  public init(
    _ name: String, functions: [Function] = [], macros: [Macro] = [], constants: [Constant] = [],
    types: [ObjectType] = [], opaqueTypes: [CELType] = []
  ) {
    self.name = name
    self.functions = functions
    self.macros = macros
    self.constants = constants
    self.types = types
    self.opaqueTypes = opaqueTypes
  }
}

/// A name with a fixed value, such as `math.pi`.
public struct Constant: Sendable {
  public let name: String
  public let type: CELType
  public let value: Value

  public init(_ name: String, _ type: CELType, _ value: Value) {
    self.name = name
    self.type = type
    self.value = value
  }
}
