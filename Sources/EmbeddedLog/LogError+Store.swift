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
    self.init(code, error.description)
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
