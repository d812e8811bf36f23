import ArgumentParser
import JSONSerdes
import Logging
import StreamCore

struct Produce: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Appends JSON lines of standard input to a topic.",
    discussion: """
      A line is {"key","headers","timestamp","value"}. Prints the position of the last record \
      of each partition, for `query --wait-for`.
      """)

  @Argument(help: "The topic's name; a missing topic of a local log is created.")
  var topic: String
  @Option(help: "Partitions of a topic that is created.") var partitions = 1
  @OptionGroup var log: LogOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("log", log.url)] }

  func run(in session: Session) throws {
    guard partitions >= 1 else {
      throw Failure.usage("a topic has at least one partition", todo: "correct --partitions")
    }
    let url = try session.settings.require("log")
    let log = try session.openLog(create: true)
    defer { log.close() }
    try ensureTopic(of: log, isLocal: LogFactory.isLocal(url), session)
    let appender = try log.makeAppender()
    defer { appender.close() }
    let sink = LineSink(appender, topic: topic, log)
    let input = StandardInput()
    let parser = RecordLineParser()
    var lineNumber = 0
    while let line = try input.nextLine() {
      lineNumber += 1
      do {
        if !Self.isBlank(line) {
          let record = try parser.record(from: line.span.bytes, number: lineNumber)
          try sink.add(record, line: lineNumber)
        }
      } catch let error as RecordLineError {
        // What was read before it is in: only then is the line's number of use.
        try sink.flush()
        throw Failure(
          .invalid, "line \(error.line) is no record: \(error.reason)", at: "standard input",
          todo: "the \(sink.count.grouped) records before it are in the topic")
      }
      if !input.isReady { try sink.flush() }
    }
    try sink.flush()
    for (partition, offset) in sink.last.sorted(by: { $0.key < $1.key }) {
      try session.output.write("\(partition)@\(offset)\n")
    }
    session.logger.info("appended \(sink.count.grouped) records to '\(topic)'")
  }

  private static func isBlank(_ line: ArraySlice<UInt8>) -> Bool {
    // Most lines begin with their brace.
    line.first != 0x7b && line.allSatisfy { $0 == 0x20 || $0 == 0x0d || $0 == 0x09 }
  }

  private func ensureTopic(of log: any RecordLog, isLocal: Bool, _ session: Session) throws {
    guard isLocal, try log.topic(topic) == nil else {
      _ = try log.existing(topic)
      return
    }
    do {
      try Topics.administration(of: log).createTopic(
        topic, partitions: partitions, retention: TopicRetention())
      session.logger.info("created topic '\(topic)' (partitions: \(partitions))")
    } catch let error as LogError where error.code == .topicExists {
      // Another producer was faster.
    }
  }
}

/// Collects records and appends them in batches.
private final class LineSink {
  private let appender: any RecordAppender
  private let topic: String
  private let recordBytesMax: Int
  private let batchBytesMax: Int
  private var batch: [ProducerRecord] = []
  /// Of each record of the batch.
  private var lines: [Int] = []
  private var batchBytes = 0
  /// Records appended.
  private(set) var count = 0
  /// Offset of the last record appended, by partition.
  private(set) var last: [TopicPartition: Offset] = [:]

  /// Of one append: enough that the log's sync costs little.
  private static let batchRecords = 1_000
  private static let batchBytes = 8 << 20

  init(_ appender: any RecordAppender, topic: String, _ log: any RecordLog) {
    self.appender = appender
    self.topic = topic
    recordBytesMax = log.recordBytesMax
    batchBytesMax = min(Self.batchBytes, log.appendBytesMax)
  }

  /// - Throws: ``Failure`` for a record that the log cannot take; those before it are in.
  func add(_ record: ProducerRecord, line: Int) throws {
    let bytes = record.byteCount
    if bytes > recordBytesMax {
      try flush()
      throw refusal(
        line, "it has \(bytes.grouped) bytes, and the log takes \(recordBytesMax.grouped)")
    }
    if batch.count == Self.batchRecords || batchBytes + bytes > batchBytesMax { try flush() }
    batch.append(record)
    lines.append(line)
    batchBytes += bytes
  }

  /// - Throws: ``Failure`` that says how many records are in, for who goes on behind them.
  func flush() throws {
    guard !batch.isEmpty else { return }
    defer {
      batch.removeAll(keepingCapacity: true)
      lines.removeAll(keepingCapacity: true)
      batchBytes = 0
    }
    do {
      return try append(batch)
    } catch let error as LogError where error.code == .recordRejected {
      // One of them is not to the log's liking: those before it go in, and it is named.
    } catch {
      throw failure(error)
    }
    for (record, line) in zip(batch, lines) {
      do {
        try append([record])
      } catch let error as LogError where error.code == .recordRejected {
        throw refusal(line, error.message)
      } catch {
        throw failure(error)
      }
    }
  }

  private func append(_ records: [ProducerRecord]) throws {
    for result in try appender.append(records, to: topic) {
      last[result.topicPartition] = result.offset
    }
    count += records.count
  }

  private func refusal(_ line: Int, _ reason: String) -> Failure {
    Failure(
      .invalid, "line \(line) is no record for this log: \(reason)", at: "standard input",
      todo: "the \(count.grouped) records before it are in the topic")
  }

  private func failure(_ error: any Error) -> Failure {
    let failure = Failure(error)
    return Failure(
      failure.status, failure.description,
      todo: "the first \(count.grouped) records of the input are in the topic")
  }
}
