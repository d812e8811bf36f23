/// What an operator has of a key, for records that wait.
struct RowProbe {
  let hasRow: Bool
  let checksNumbers: Bool
  /// The number of the last event that the row took.
  let last: Int64?
  /// The number with which an aggregate begins, where that is declared.
  let first: Int64?
}
