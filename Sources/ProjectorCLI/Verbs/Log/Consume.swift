import ArgumentParser
import JSONSerdes
import StreamCore

struct Consume: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Prints records of a topic as JSON lines, which `produce` reads back.")

  @Argument(help: "The topic's name.") var topic: String
  @Option(
    help: ArgumentHelp(
      "earliest, latest, an offset, or an RFC 3339 time.", valueName: "position"))
  var from = "earliest"
  @Option(help: "Only this partition.") var partition: Int?
  @Flag(help: "Stop at the end offsets read at the start.") var untilEnd = false
  @Option(help: "Stop after so many records.") var limit: Int?
  @OptionGroup var log: LogOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("log", log.url)] }

  func run(in session: Session) throws {
    guard let start = StartPosition(parsing: from) else {
      throw Failure.usage(
        "'\(from)' is no position",
        todo: "write --from earliest, latest, an offset, or a time as 2026-01-05T09:00:00Z")
    }
    if let limit, limit < 0 {
      throw Failure.usage("a limit is no negative number", todo: "correct --limit")
    }
    let signals = session.signals
    signals.take()
    let log = try session.openLog()
    defer { log.close() }
    let partitions = try chosenPartitions(of: log)
    var positions: [TopicPartition: Offset] = [:]
    var ends: [TopicPartition: Offset] = [:]
    for (partition, offsets) in try log.offsets(of: partitions) {
      ends[partition] = offsets.upperBound
      positions[partition] = try start.offset(of: partition, offsets, in: log)
    }
    let reader = try log.makeReader(ReaderOptions())
    defer { reader.close() }
    try reader.assign(positions)
    let wake = ReaderWake(reader)
    signals.onReceive { wake.wake() }
    let printer = RecordLinePrinter()
    var left = limit ?? .max
    var open = untilEnd ? Set(partitions.filter { (positions[$0] ?? 0) < (ends[$0] ?? 0) }) : []
    while left > 0, !signals.wereReceived, !untilEnd || !open.isEmpty {
      for batch in try reader.poll(timeout: .milliseconds(500)) {
        let end = untilEnd ? ends[batch.topicPartition] ?? 0 : .max
        for (index, entry) in batch.entries.enumerated() where left > 0 && entry.offset < end {
          let record = batch.record(at: index)
          try session.output.append { printer.append(record, to: &$0) }
          left -= 1
        }
        if batch.nextOffset >= end { open.remove(batch.topicPartition) }
      }
      try session.output.flush()
    }
  }

  private func chosenPartitions(of log: any RecordLog) throws -> [TopicPartition] {
    let description = try log.existing(topic)
    guard let partition else {
      return (0..<description.partitions).map { TopicPartition(topic, $0) }
    }
    guard (0..<description.partitions).contains(partition) else {
      throw LogError(
        .partitionMissing,
        "there is no partition \(partition) of '\(topic)' (\(log.url)); it has "
          + "\(description.partitions)")
    }
    return [TopicPartition(topic, partition)]
  }
}

/// Where reading starts.
enum StartPosition: Hashable {
  case earliest, latest
  case offset(Offset)
  case time(Timestamp)

  /// Digits are an offset; a time is written in RFC 3339.
  init?(parsing text: String) {
    switch text {
    case "earliest": self = .earliest
    case "latest": self = .latest
    default:
      if let offset = Offset(text) {
        guard offset >= 0 else { return nil }
        self = .offset(offset)
      } else {
        do { self = .time(try Timestamp(parsing: text)) } catch { return nil }
      }
    }
  }

  /// - Throws: ``StreamCore/LogError`` with `.offsetOutOfRange`, or with `.unsupported` where the
  ///   log knows no times.
  func offset(
    of topicPartition: TopicPartition, _ offsets: Range<Offset>, in log: any RecordLog
  ) throws -> Offset {
    switch self {
    case .earliest: return offsets.lowerBound
    case .latest: return offsets.upperBound
    case .offset(let offset):
      if offsets.contains(offset) || offset == offsets.upperBound { return offset }
      throw LogError(
        .offsetOutOfRange,
        "offset \(offset) of \(topicPartition) is not in the log (\(log.url)); it holds "
          + "\(offsets.lowerBound) up to \(offsets.upperBound)")
    case .time(let time):
      if let offset = try log.offset(of: topicPartition, at: time) { return offset }
      throw LogError(
        .unsupported, "\(log.url) cannot tell offsets by time; use --from with an offset")
    }
  }
}

/// Lets any thread end a reader's poll.
struct ReaderWake: @unchecked Sendable {
  // Invariant: only `wake()` is called, which the protocol allows to any thread.
  private let reader: any RecordReader
  init(_ reader: any RecordReader) { self.reader = reader }
  func wake() { reader.wake() }
}
