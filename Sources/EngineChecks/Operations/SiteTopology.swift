import StreamCore
package import Topology

extension SiteShape {
  /// The topology, as an operator's program of this variant has it.
  package func build(
    _ variant: SiteVariant, _ world: World, _ log: any RecordLog
  ) throws -> Topology {
    let builder = StreamsBuilder(
      Self.topology, deadLetterTopic: publishesDeadLetters ? Self.deadLetterTopic : nil)
    for (number, topics) in groups.enumerated() {
      let sources = topics.map { topic in
        builder.stream(
          topic, key: StringSerde(), value: SiteEventSerde(), policies: policies,
          seenIDs: retention, idle: .milliseconds(idle))
      }
      let both = sources.count == 2 ? sources[0].merge(sources[1], named: "both") : sources[0]
      declare(
        number, both, variant, world, SiteOutputSerde(world: world, limit: log.recordBytesMax),
        builder)
    }
    return try builder.build()
  }

  private var policies: SourcePolicies {
    let policy: ErrorPolicy =
      switch process {
      case .deadLetter: .deadLetter
      case .parkKey: .parkKey
      case .fail: .fail
      }
    return SourcePolicies(
      process: policy.retrying(retries), produce: .deadLetter, conflict: .warn)
  }

  private var retention: SeenIDRetention {
    switch ids {
    case .forever: .forever
    case .count(let count): .count(count)
    case .age(let milliseconds): .age(.milliseconds(milliseconds))
    }
  }

  private func declare(
    _ number: Int, _ stream: KStream<String, SiteEvent>, _ variant: SiteVariant, _ world: World,
    _ output: SiteOutputSerde, _ builder: StreamsBuilder
  ) {
    let worked = stream.mapValues(named: "work-\(number)") { _, event in
      try world.work(on: event)
      return event
    }
    worked.groupByKey().aggregate(into: "", named: "lists-\(number)", as: StringSerde()) {
      row, event in
      row += row.isEmpty ? "\(event.uid)" : ",\(event.uid)"
    }.view()
    // Between two stores, so that a failure here leaves half a unit.
    worked.peek(named: "disk-\(number)") { _, _, _ in try world.call() }
      .groupByKey().count(named: "counts-\(number)").view()
    if holds {
      worked.project(
        named: "rows-\(number)", as: StringSerde(), missing: .holdUntilCreated
      ) { row, event, _ in
        if let row { return .put("\(row),\(event.uid)") }
        return event.kind == .update ? .missing(partial: nil) : .put("\(event.uid)")
      }.view()
    }
    if variant.hasExtraView {
      worked.groupByKey().count(named: "extra-\(number)").view()
    }
    if hasTimers { timers(number, worked, world) }
    for sink in variant.sinks.sorted() {
      worked.to(sink, key: StringSerde(), value: output, named: "\(sink)-\(number)")
    }
  }

  private func timers(_ number: Int, _ stream: KStream<String, SiteEvent>, _ world: World) {
    let fired: KStream<String, String> = stream.process(
      named: "remind-\(number)",
      firings: FiringPolicies(process: process == .fail ? .fail : .deadLetter)
    ) { context in
      Processor(
        onTimer: { key, time in
          try world.call()
          if time.milliseconds % 2 != 0, world.phase == .broken {
            throw SiteTrouble(description: "a timer that fails")
          }
          try context.forward(key, "\(key)@\(time.milliseconds)")
        },
        process: { key, event in
          let delay = event.kind == .badTimer ? Self.delay + 1 : Self.delay
          guard event.kind == .timer || event.kind == .badTimer else { return }
          try context.schedule(key, at: context.record.timestamp + .milliseconds(delay))
        })
    }
    fired.to(
      Self.timerTopic, key: StringSerde(), value: StringSerde(), named: "timers-\(number)")
  }
}

/// Events as the source holds them: `UID KIND`.
package struct SiteEventSerde: Serde {
  package init() {}
  package var name: String { "site event" }
  package func serialize(_ value: SiteEvent, into bytes: inout [UInt8]) {
    bytes += Array("\(value.uid) \(value.kind.rawValue)".utf8)
  }
  package func deserialize(_ bytes: RawSpan) throws -> SiteEvent {
    let parts = try StringSerde().deserialize(bytes).split(separator: " ")
    guard parts.count == 2, let uid = Int(parts[0]),
      let kind = SiteRecord.Kind(rawValue: String(parts[1]))
    else { throw SerdeError("no event of a site") }
    return SiteEvent(uid: uid, kind: kind)
  }
}

/// Events on their way out: their number. While the world is half mended, of some it is more than a
/// topic takes, or nothing at all where the log takes more than is to be had here.
struct SiteOutputSerde: Serde {
  /// The limit of logs that can be told one.
  static let bytesMax = 10_000

  let world: World
  /// Of the log, for a record.
  let limit: Int
  var name: String { "site output" }

  func serialize(_ value: SiteEvent, into bytes: inout [UInt8]) throws {
    bytes += Array("\(value.uid)".utf8)
    guard value.kind == .brittle, world.phase == .halfMended else { return }
    guard limit <= Self.bytesMax else { throw SiteTrouble(description: "no output") }
    bytes += [UInt8](repeating: 0x78, count: limit + 1)
  }
  func deserialize(_ bytes: RawSpan) throws -> SiteEvent {
    throw SerdeError("what a site sends is not read back")
  }
}
