/// An unbounded stream of records, each a fact of its own.
///
/// Operators return new streams and never change this one; several may read the same stream, in
/// the order of their declaration. A closure that throws fails the record by the `process` policy
/// of its source.
public struct KStream<Key, Value> {
  @usableFromInline let builder: StreamsBuilder
  @usableFromInline let port: Port<Key, Value>
  @usableFromInline let node: OperatorSpec.Input
  /// The operator that may have changed the key since the source, if any did.
  @usableFromInline let rekeyedBy: String?

  @inlinable
  init(
    builder: StreamsBuilder, port: Port<Key, Value>, node: OperatorSpec.Input, rekeyedBy: String?
  ) {
    self.builder = builder
    self.port = port
    self.node = node
    self.rekeyedBy = rekeyedBy
  }

  /// Adds an operator with one input and one output.
  ///
  /// - Parameter make: given the operator's name, one task's context and its consumers, returns
  ///   what is called for each record.
  @inlinable
  func attach<NewKey, NewValue>(
    _ word: String, named name: String?, rekeys: Bool = false, version: Int = 1,
    stores: [String] = [], parameters: [OperatorParameter] = [], at location: String,
    _ make:
      @escaping @Sendable (String, TaskAssembly, @escaping Forward<NewKey, NewValue>) ->
      Forward<Key, Value>
  ) -> KStream<NewKey, NewValue> {
    attach(
      word, named: name, rekeys: rekeys, version: version, stores: stores,
      parameters: parameters, at: location,
      toPort: { name, assembly, output in
        make(name, assembly, assembly.output(of: output))
      })
  }

  /// As ``attach(_:named:rekeys:version:stores:parameters:at:_:)`` for an operator that asks itself
  /// whether its output has consumers.
  @inlinable
  func attach<NewKey, NewValue>(
    _ word: String, named name: String?, rekeys: Bool = false, version: Int = 1,
    stores: [String] = [], parameters: [OperatorParameter] = [], isStateful: Bool = false,
    at location: String,
    toPort make:
      @escaping @Sendable (String, TaskAssembly, Port<NewKey, NewValue>) -> Forward<Key, Value>
  ) -> KStream<NewKey, NewValue> {
    let (input, output) = (port, Port<NewKey, NewValue>())
    let name = builder.operatorName(word, given: name)
    let id = builder.add(
      .processor(word), named: name, version: version, inputs: [node], stores: stores,
      parameters: parameters, isStateful: isStateful || !stores.isEmpty, at: location
    ) { assembly in
      assembly.attach(to: input, make(name, assembly, output))
    }
    return KStream<NewKey, NewValue>(
      builder: builder, port: output, node: OperatorSpec.Input(id),
      rekeyedBy: rekeys ? name : rekeyedBy)
  }
}

/// Runs a user's closure; what it throws is marked with the operator's name.
@inlinable
func attempt<Result>(_ name: String, _ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch {
    throw ProcessingFailure.wrapping(error, operatorName: name)
  }
}
