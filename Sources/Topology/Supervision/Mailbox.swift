import Synchronization

/// Work for the thread of a task loop, carried out between two of its turns.
final class Mailbox: Sendable {
  typealias Letter = @Sendable ([StreamTask]) -> Void

  private struct Contents {
    var letters: [Letter] = []
    var isClosed = false
  }
  private let contents = Mutex(Contents())

  /// - Returns: whether the loop still takes letters.
  func post(_ letter: @escaping Letter) -> Bool {
    contents.withLock { contents in
      guard !contents.isClosed else { return false }
      contents.letters.append(letter)
      return true
    }
  }

  func deliver(to tasks: [StreamTask]) {
    let letters = contents.withLock { contents in
      defer { contents.letters = [] }
      return contents.letters
    }
    for letter in letters { letter(tasks) }
  }

  /// Delivers what is left and takes no more.
  func close(_ tasks: [StreamTask]) {
    contents.withLock { $0.isClosed = true }
    deliver(to: tasks)
  }
}
