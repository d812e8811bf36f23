import ArgumentParser
import Logging
import StreamCore

struct Topics: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists, creates, describes and deletes topics of a log.",
    subcommands: [List.self, Create.self, DescribeTopic.self, Delete.self])

  struct List: Verb {
    static let configuration = CommandConfiguration(abstract: "Lists all topics.")

    @Option(help: "table or json.") var format = TableFormat.table
    @OptionGroup var log: LogOption
    @OptionGroup var common: CommonOptions

    var given: [(key: String, value: String?)] { [("log", log.url)] }

    func run(in session: Session) throws {
      let log = try session.openLog()
      defer { log.close() }
      let topics = try log.topics()
      switch format {
      case .table:
        var table = TextTable(["TOPIC", "PARTITIONS", "RETENTION"], numeric: [1])
        for topic in topics {
          table.add([topic.name, String(topic.partitions), Topics.text(topic.retention)])
        }
        try session.output.write(table.text)
      case .json:
        for topic in topics { try session.output.write(Topics.object(topic).text + "\n") }
      }
    }
  }

  struct Create: Verb {
    static let configuration = CommandConfiguration(abstract: "Creates a topic.")

    @Argument(help: "The topic's name.") var topic: String
    @Option(help: "How many partitions it has.") var partitions = 1
    @Option(
      help: ArgumentHelp(
        "Records older than this against the newest may go.", valueName: "duration"))
    var retentionTime: String?
    @Option(
      help: ArgumentHelp("The oldest records beyond this size may go.", valueName: "size"))
    var retentionBytes: String?
    @Flag(help: "Of records with one key only the newest is sure to stay.") var compacted = false
    @OptionGroup var log: LogOption
    @OptionGroup var common: CommonOptions

    var given: [(key: String, value: String?)] { [("log", log.url)] }

    func run(in session: Session) throws {
      guard partitions >= 1 else {
        throw Failure.usage("a topic has at least one partition", todo: "correct --partitions")
      }
      var retention = TopicRetention(compacted: compacted)
      if let retentionTime {
        guard let time = Duration(text: retentionTime) else {
          throw Failure.usage(
            "'\(retentionTime)' is no duration", todo: "write --retention-time as 7d or 12h")
        }
        retention.time = time
      }
      if let retentionBytes {
        guard let bytes = ByteSize.parse(retentionBytes) else {
          throw Failure.usage(
            "'\(retentionBytes)' is no size", todo: "write --retention-bytes as 10GiB")
        }
        retention.bytes = bytes
      }
      let log = try session.openLog(create: true)
      defer { log.close() }
      try Topics.administration(of: log).createTopic(
        topic, partitions: partitions, retention: retention)
      session.logger.info(
        "created topic '\(topic)' with \(partitions) \(partitions == 1 ? "partition" : "partitions")"
      )
    }
  }

  struct DescribeTopic: Verb {
    static let configuration = CommandConfiguration(
      commandName: "describe", abstract: "Prints a topic's partitions with their offsets.")

    @Argument(help: "The topic's name.") var topic: String
    @Option(help: "table or json.") var format = TableFormat.table
    @OptionGroup var log: LogOption
    @OptionGroup var common: CommonOptions

    var given: [(key: String, value: String?)] { [("log", log.url)] }

    func run(in session: Session) throws {
      let log = try session.openLog()
      defer { log.close() }
      let description = try log.existing(topic)
      let places = (0..<description.partitions).map { TopicPartition(topic, $0) }
      let found = try log.offsets(of: places)
      let offsets = places.map { found[$0] ?? 0..<0 }
      switch format {
      case .table:
        var table = TextTable(["PARTITION", "FIRST", "END"], numeric: [0, 1, 2])
        for (partition, range) in offsets.enumerated() {
          table.add([String(partition), String(range.lowerBound), String(range.upperBound)])
        }
        try session.output.write(
          "Topic: \(topic) (retention: \(Topics.text(description.retention)))\n" + table.text)
      case .json:
        var object = Topics.object(description)
        let list = offsets.enumerated().map { partition, range in
          var object = JSONText.Object()
          object.add("partition", partition)
          object.add("first", range.lowerBound)
          object.add("end", range.upperBound)
          return object.text
        }
        object.add("offsets", json: JSONText.array(list))
        try session.output.write(object.text + "\n")
      }
    }
  }

  struct Delete: Verb {
    static let configuration = CommandConfiguration(
      abstract: "Deletes a topic with all its records.")

    @Argument(help: "The topic's name.") var topic: String
    @OptionGroup var log: LogOption
    @OptionGroup var common: CommonOptions

    var given: [(key: String, value: String?)] { [("log", log.url)] }

    func run(in session: Session) throws {
      let log = try session.openLog()
      defer { log.close() }
      try Topics.administration(of: log).deleteTopic(topic)
      session.logger.info("deleted topic '\(topic)'")
    }
  }

  static func administration(of log: any RecordLog) throws -> any TopicAdministration {
    if let administration = log.administration { return administration }
    throw LogError(.unsupported, "\(log.url) has no topic administration; use the log's own tools")
  }

  static func text(_ retention: TopicRetention?) -> String {
    guard let retention else { return "unknown" }
    var parts: [String] = []
    if let time = retention.time { parts.append(time.text) }
    if let bytes = retention.bytes { parts.append(ByteSize.text(bytes)) }
    if retention.compacted { parts.append("compacted") }
    return parts.isEmpty ? "everything" : parts.joined(separator: ", ")
  }

  static func object(_ topic: TopicDescription) -> JSONText.Object {
    var object = JSONText.Object()
    object.add("topic", topic.name)
    object.add("partitions", topic.partitions)
    if let retention = topic.retention {
      if let time = retention.time { object.add("retentionTime", time.text) }
      if let bytes = retention.bytes { object.add("retentionBytes", bytes) }
      object.add("compacted", retention.compacted)
    }
    return object
  }
}

enum TableFormat: String, ExpressibleByArgument, CaseIterable { case table, json }

extension RecordLog {
  /// - Throws: ``StreamCore/LogError`` with `.topicMissing`.
  func existing(_ topic: String) throws -> TopicDescription {
    if let description = try self.topic(topic) { return description }
    throw LogError(
      .topicMissing,
      "topic '\(topic)' does not exist (\(url)); create it with "
        + "`\(Projector.executableName) topics create \(topic)` or correct --log")
  }
}
