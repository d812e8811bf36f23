import StateStore
import StreamCore

extension LogError {
  /// A store's error in the words of a log.
  init(_ error: StoreError) {
    let code: LogError.Code =
      switch error.code {
      case .corrupted, .newer, .foreign: .corrupt
      case .diskFull: .diskFull
      case .missing, .readOnly, .locked: .unreachable
      default: .failed
      }
    let parts = error.message.split(separator: "; ", maxSplits: 1)
    if error.code == .corrupted {
      // The store's advice is for a view's state.
      self.init(
        code, "the log is damaged: \(parts[0]) (\(error.store)); restore it from a copy")
    } else {
      // What happened, where, and what to do.
      let advice = parts.count == 2 ? "; \(parts[1])" : ""
      self.init(code, "\(parts[0]) (\(error.store))\(advice)")
    }
  }
}

/// Runs `body`, whose errors are the store's or ours.
func logErrors<Result>(_ body: () throws -> Result) throws(LogError) -> Result {
  do {
    return try body()
  } catch let error as LogError {
    throw error
  } catch let error as StoreError {
    throw LogError(error)
  } catch {
    throw LogError(.failed, "\(error)")
  }
}
