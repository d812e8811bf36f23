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
    if error.code == .corrupted {
      // The store's advice is for a view's state.
      let cause = error.message.prefix { $0 != ";" }
      self.init(code, "the log is damaged: \(cause) (\(error.store)); restore it from a copy")
    } else {
      self.init(code, error.description)
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
