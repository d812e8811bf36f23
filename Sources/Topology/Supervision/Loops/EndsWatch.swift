package import StreamCore

/// Asks the log where it ends, for tasks whose stream time goes on while nothing comes.
///
/// It has a thread of its own, for a log that is away may keep a call for long, and asks once a second
/// at most, for all tasks that want to know in one call. A task asks again when it has its answer.
package final class EndsWatch: Sendable {
  private struct Question {
    let inputs: [TopicPartition]
    let answer: @Sendable (EndsAnswer) -> Void
  }

  private struct Contents {
    var questions: [Question] = []
    /// Reading had trouble since the last answer.
    var hasTrouble = false
    var isEnding = false
  }

  private let log: any RecordLog
  private let clock: any MonotonicClock
  private let every: Duration
  private let contents = Monitor(Contents())
  private let wake = WakeUp()
  private let thread = Monitor<EngineThread?>(nil)

  /// - Parameter every: how often the log is asked at most.
  package init(
    _ log: any RecordLog, clock: any MonotonicClock, every: Duration = .seconds(1)
  ) {
    self.log = log
    self.clock = clock
    self.every = every
  }

  func start() { thread.withLock { $0 = EngineThread { self.run() } } }

  /// Wants to know where inputs end.
  ///
  /// - Parameter answer: called once, by another thread.
  func ask(_ inputs: [TopicPartition], answer: @escaping @Sendable (EndsAnswer) -> Void) {
    contents.change { $0.questions.append(Question(inputs: inputs, answer: answer)) }
  }

  /// The log cannot be read for the time being: what it says of its ends is not known to be all.
  func noteTrouble() { contents.withLock { $0.hasTrouble = true } }

  /// Asks what is wanted, in the calling thread.
  package func round() {
    let (questions, before) = contents.withLock { contents in
      defer { (contents.questions, contents.hasTrouble) = ([], false) }
      return (contents.questions, contents.hasTrouble)
    }
    guard !questions.isEmpty else { return }
    let asked = clock.monotonicNow()
    var ends: [TopicPartition: Offset]?
    do {
      ends = try log.offsets(of: questions.flatMap(\.inputs).uniqued()).mapValues(\.upperBound)
    } catch {
      // Reading has the same trouble, and says so.
      ends = nil
    }
    let isUnsure = before || contents.withLock { $0.hasTrouble }
    let answer = EndsAnswer(
      isUnsure ? nil : ends, asked: asked, answered: clock.monotonicNow())
    for question in questions { question.answer(answer) }
  }

  private func run() {
    while true {
      let isEnding = contents.wait(atMost: nil) { contents in
        contents.isEnding ? true : contents.questions.isEmpty ? nil : false
      }
      if isEnding != false { return }
      round()
      wake.sleep(atMost: every)
    }
  }

  /// Ends the thread; one that does not end in time is left, and what it says is heard by nobody.
  func end(atMost limit: Duration) {
    contents.change { $0.isEnding = true }
    wake.signal()
    thread.withLock { $0 }?.join(atMost: limit)
  }
}
