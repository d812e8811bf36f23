import StateStore
import StreamCore

/// Makes a filled generation the one that serves.
///
/// The order lets a start tell how far a crashed swap came: the old outbox has been sent to its end,
/// the new one's outputs up to the cut are dropped, generation and numbers are recorded where the
/// sinks are, and only then `current` is renamed.
struct GenerationSwap {
  private let topology: Topology
  private let directory: StateDirectory
  private let log: any RecordLog

  init(_ topology: Topology, _ directory: StateDirectory, _ log: any RecordLog) {
    self.topology = topology
    self.directory = directory
    self.log = log
  }

  /// - Parameter number: stands at the cut, where the generation that serves was stopped after it
  ///   had sent its outputs.
  func perform(to number: Int, options: RunOptions) throws {
    var quiet = options
    quiet.publishes = false
    let new = GenerationRun(
      topology, generation: number, log: log, directory: directory, options: quiet,
      clock: SystemWallClock(), report: { _ in })
    try new.open()
    defer { new.close() }
    try new.dropOutbox()
    try new.recordGeneration()
    try directory.setCurrent(number)
    try settle()
  }

  /// Finishes what a crash interrupted between the sinks' record and the renaming of `current`.
  func finishHalfDone() throws {
    guard let current = try directory.current() else { return }
    if let recorded = try recordedGeneration(), recorded > current,
      try directory.generations().contains(recorded)
    {
      try directory.setCurrent(recorded)
    }
    try settle()
  }

  /// Brings the generations' files in line with `current`.
  private func settle() throws {
    guard let current = try directory.current() else { return }
    for generation in try directory.generations() {
      let path = directory.directory(of: generation)
      guard var meta = try GenerationMeta.read(path) else { continue }
      let status: GenerationMeta.Status =
        generation == current ? .serving : meta.status == .serving ? .retired : meta.status
      if meta.status != status {
        meta.status = status
        try meta.write(to: path)
      }
    }
  }

  private func recordedGeneration() throws -> Int? {
    guard log.transactions != nil, !topology.outputTopics.isEmpty else { return nil }
    var newest: Int?
    for sub in topology.subTopologies {
      let topic = OutboxPublisher.journalTopic(of: topology.name, sub.name)
      for partition in 0..<(try log.topic(topic)?.partitions ?? 0) {
        if let mark = try PublishedMark.last(in: TopicPartition(topic, partition), of: log) {
          newest = max(newest ?? 0, mark.generation)
        }
      }
    }
    return newest
  }
}
