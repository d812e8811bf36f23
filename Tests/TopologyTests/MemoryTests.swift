import Foundation
import StateStore
import StreamCore
import Testing
import Topology
import TopologyTesting

/// What runs beside each other takes its memory out of one budget.
@Suite("Memory of a run")
struct MemoryTests {
  @Test(
    "the buffers of all inputs together take a small part of the memory, however many there are",
    arguments: [1, 4, 200, 2_000], [64 << 20, 240 << 20])
  func buffers(inputs: Int, memory: Int) {
    var options = RunOptions()
    options.budget.memory = memory
    let (buffer, reader) = (options.bufferBytes(inputs: inputs), options.reader(inputs: inputs))
    // A paused buffer holds one batch more; below 8 KiB an input is not read.
    let floor = inputs * (16 << 10)
    #expect(inputs * (buffer + reader.batchBytesMax) <= max(memory / 4, floor))
    #expect(reader.batchBytesMax <= max(buffer / 2, 8 << 10))
    #expect(reader.fetchedBytesMax <= memory / 8)
    #expect(inputs > 4 || reader.batchBytesMax == 1 << 20, "few inputs have batches of full size")
  }

  @Test(
    "more tasks than the system lets have their files open are refused with what to set",
    arguments: [
      (240, 1_024, true), (241, 1_024, false), (2_000, 8_063, false), (2_000, 8_064, true),
    ])
  func openFiles(tasks: Int, allowed: Int, isEnough: Bool) throws {
    guard !isEnough else { return try OpenFiles.check(forTasks: tasks, allowed: allowed) }
    let error = #expect(throws: StoreError.self) {
      try OpenFiles.check(forTasks: tasks, allowed: allowed)
    }
    #expect(error?.message.contains("LimitNOFILE=\(tasks * 4 + 64)") == true)
  }

  @Test("an interval of large records ends by its bytes, long before a slice is over")
  func largeRecords() throws {
    let site = try OwnerSite()
    let builder = StreamsBuilder("site")
    builder.stream("in", key: StringSerde(), value: StringSerde()).groupByKey()
      .aggregate(into: "", named: "texts", as: StringSerde()) { $0 = $1 }.view()
    let topology = try builder.build()
    let value = [UInt8](repeating: UInt8(ascii: "x"), count: 300_000)
    let records = (0..<200).map { ProducerRecord(key: Array("k\($0)".utf8), value: value) }
    _ = try site.log.makeAppender().append(records, to: "in")
    // Two fifths of it are for what the open intervals are about to write: 25 MiB of 60 MB.
    try site.owner(topology) { $0.budget.memory = 64 << 20 }.run(untilEnd: true)
    let path = site.directory.task(1, TaskName(subTopology: "in", partition: 0))
    let words = try StateReader.open(path).read { try $0.words() }
    #expect(words["count/consumed"] == 200)
    #expect(words["commits"] ?? 0 >= 3)
  }

  @Test("the largest interval ends where all together hold too much, though its input is silent")
  func silentInput() throws {
    let site = try OwnerSite(partitions: 3)
    let builder = StreamsBuilder("site")
    builder.stream("in", key: StringSerde(), value: StringSerde()).groupByKey()
      .aggregate(into: "", named: "texts", as: StringSerde()) { $0 = $1 }.view()
    let topology = try builder.build()
    let value = [UInt8](repeating: UInt8(ascii: "x"), count: 300_000)
    for partition in 0..<3 {
      let records = (0..<40).map {
        ProducerRecord(key: Array("k\($0)".utf8), value: value, partition: partition)
      }
      _ = try site.log.makeAppender().append(records, to: "in")
      // More is to come of it, so that its interval stays open.
      site.log.withhold(TopicPartition("in", partition), from: 35)
    }
    let owner = try site.owner(topology) {
      $0.budget.memory = 40 << 20
      $0.budget.age = .seconds(3_600)
    }
    let running = Background { try owner.run(untilEnd: false) }
    func commits() throws -> Int64 {
      try (0..<3).reduce(0) { total, partition in
        let task = TaskName(subTopology: "in", partition: partition)
        do {
          let words = try StateReader.open(site.directory.task(1, task)).read { try $0.words() }
          return total + (words["commits"] ?? 0)
        } catch is StoreError {
          // Until it is opened there is nothing to read.
          return total
        }
      }
    }
    while try commits() == 0, !running.hasEnded {}
    owner.stop()
    try running.join()
  }
}
