extension TaskState {
  /// Makes the state of a task out of a snapshot of one: a copy under another generation, durable
  /// when the call returns. The snapshot stays as it is.
  ///
  /// - Parameters:
  ///   - target: the task's directory, which must not exist.
  ///   - cancellation: ends the copy early.
  /// - Throws: ``StoreError``: `foreign`, `newer` or `corrupted` for what is no snapshot, `locked`
  ///   if `target` exists, `diskFull`, `cancelled`.
  package static func restore(
    snapshot: String, to target: String, generation: Int, cancellation: CopyCancellation
  ) throws(StoreError) {
    let reader = try StateReader.open(snapshot)
    try reader.environment.snapshot(to: target, cancellation: cancellation)
    var identity = reader.identity
    identity.generation = generation
    let environment = try Environment.open(target, .init(create: false))
    let meta = try environment.table("meta")
    let write = try WriteTransaction(environment)
    try identity.write(write.operations, meta)
    try write.commit()
    try environment.sync()
  }
}
