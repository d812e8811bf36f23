public import StreamCore

/// What is said of rows that have no bytes, and of bytes that are no row.
extension RowCore {
  @usableFromInline
  func unwritable(_ entry: Int, _ cause: any Error) -> SerdeError {
    SerdeError("the row of key '\(keyText(entry))' in store '\(name)' cannot be written: \(cause)")
  }

  @usableFromInline
  func unreadable(_ entry: Int, _ cause: any Error) -> SerdeError {
    SerdeError(
      "the stored row of key '\(keyText(entry))' in store '\(name)' cannot be read: \(cause); "
        + "rebuild the view if the type of its rows has changed")
  }

  /// The error of a flush: that its rows have bytes was said by their serde, or seen.
  @usableFromInline
  func brokenPromise(of serde: String, _ cause: any Error) -> StoreError {
    StoreError(
      .invalid,
      "serde '\(serde)' cannot write a row (\(cause)), though it says that every value has bytes, "
        + "or wrote this one when it was put; correct the serde, then start again", store: name)
  }

  var wronglyEncoded: StoreError {
    StoreError(.corrupted, "a row's encoding is not \(encoding); rebuild the view", store: name)
  }

  /// The error of an index that is built.
  func unreadable(_ key: [UInt8], _ cause: any Error) -> StoreError {
    StoreError(
      .corrupted,
      "the stored row of key '\(keyText(key))' cannot be read for a new index: \(cause); rebuild the "
        + "view if the type of its rows has changed", store: name)
  }

  private func keyText(_ entry: Int) -> String { keyText(space.keys.key(entry)) }

  private func keyText(_ key: [UInt8]) -> String {
    do { return try KeyText.text(key) } catch { return "\(key)" }
  }
}
