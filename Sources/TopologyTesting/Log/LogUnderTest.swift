public import StreamCore

/// A log that the conformance suites examine, and what they may expect of it.
public struct LogUnderTest: Sendable {
  /// Gives a log without topics; called once a case.
  public var open: @Sendable () throws -> any RecordLog
  /// Makes a topic: through the administration, or as the backend does it for itself.
  public var createTopic:
    @Sendable (_ log: any RecordLog, _ name: String, _ partitions: Int) throws -> Void
  /// Whether the offsets of a partition rise by one with each record.
  public var offsetsAreDense = true
  /// Whether times before 1970 come back as they went in.
  public var keepsNegativeTimestamps = true
  /// Whether ``StreamCore/RecordLog/offset(of:at:)`` finds a record by its time.
  public var reportsOffsetsForTimes = true
  /// Sets the log's clock, by which it takes records and counts their ages; `nil` where it has the
  /// machine's.
  public var setTime: (@Sendable (_ log: any RecordLog, _ now: Timestamp) throws -> Void)?
  /// Removes what a topic's retention allows; `nil` where the log cannot be told to.
  public var applyRetention: (@Sendable (_ log: any RecordLog) throws -> Void)?
  /// Whether the time the log took a record is another than the record's own timestamp.
  public var keepsAppendTimes = true
  /// Whether all that was appended is there at once, so that partitions can be served evenly.
  public var deliversInTurn = true
  /// When a case that waits for something gives up; far beyond what any machine needs.
  public var patience: Duration = .seconds(30)

  public init(
    open: @escaping @Sendable () throws -> any RecordLog,
    createTopic: @escaping @Sendable (any RecordLog, String, Int) throws -> Void = {
      log, name, partitions in
      guard let administration = log.administration else {
        throw ConformanceFailure("the log has no administration: pass a createTopic of its own")
      }
      try administration.createTopic(name, partitions: partitions, retention: TopicRetention())
    }
  ) {
    self.open = open
    self.createTopic = createTopic
  }
}

/// What a log did other than it should.
public struct ConformanceFailure: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// One rule every log keeps, with the run that tells.
public struct ConformanceCase: Sendable, CustomStringConvertible {
  public let description: String
  private let body: @Sendable (LogTrial) throws -> Void

  init(_ description: String, _ body: @escaping @Sendable (LogTrial) throws -> Void) {
    self.description = description
    self.body = body
  }

  /// Opens a log and tries the rule on it; a log without the capability passes.
  ///
  /// - Throws: ``ConformanceFailure`` where the rule is broken, or what the log throws.
  public func run(on log: LogUnderTest) throws {
    let trial = LogTrial(log: try log.open(), setup: log)
    defer { trial.log.close() }
    try body(trial)
  }
}

/// All rules of one part of the log's contract.
public struct ConformanceSuite: Sendable {
  public let name: String
  public let cases: [ConformanceCase]
}
