import EmbeddedLog
import Glibc
import OrderProjections
import StateStore
import StreamCore
import Synchronization
import Topology

extension Step {
  /// append URL BATCH SECONDS: one appender, whose every call waits until its batch is durable.
  static func append(_ arguments: [String]) throws {
    guard let size = Int(arguments[1]), let seconds = Double(arguments[2]) else {
      throw BenchmarkError("append URL BATCH SECONDS")
    }
    let log = try open(arguments[0], create: true)
    try log.administration?.createTopic(
      topic, partitions: partitions, retention: TopicRetention())
    let appender = try log.makeAppender()
    var workload = OrderWorkload(.benchmark())
    var batch: [ProducerRecord] = []
    for _ in 0..<size { if let record = workload.next() { batch.append(record) } }
    let start = Clock.now
    var appended = 0
    while Clock.now - start < seconds {
      _ = try appender.append(batch, to: topic)
      appended += batch.count
    }
    print("perSecond", Double(appended) / (Clock.now - start))
    appender.close()
    log.close()
  }

  /// latency URL STATE EVENTS PERSECOND: appends events as they fall due and looks, as another process
  /// than the one that projects, when each is in the view.
  static func latency(_ arguments: [String]) throws {
    guard let events = Int(arguments[2]), let rate = Double(arguments[3]) else {
      throw BenchmarkError("latency URL STATE EVENTS PERSECOND")
    }
    let log = try open(arguments[0])
    let appender = try log.makeAppender()
    let directory = StateDirectory(root: arguments[1], topology: "order-projections")
    let watches = try (0..<partitions).map { partition in
      try VisibilityWatch(directory, TopicPartition(topic, partition))
    }
    let threads = watches.map { watch in PosixThread { watch.run() } }
    var workload = OrderWorkload(.benchmark(events: events, seed: 7))
    let start = Clock.now
    var sent = 0
    while sent < events {
      // All that are due go together: a disk that syncs slowly must not slow the source down.
      var due: [ProducerRecord] = []
      while sent + due.count < events, start + Double(sent + due.count) / rate <= Clock.now,
        let record = workload.next()
      { due.append(record) }
      guard !due.isEmpty else {
        usleep(50)
        continue
      }
      let results = try appender.append(due, to: topic)
      // What counts is the way from "the append has returned" to "a reader sees it".
      let now = Clock.now
      for result in results {
        watches[result.topicPartition.partition].appended(result.offset, at: now)
      }
      sent += due.count
    }
    let rateReached = Double(sent) / (Clock.now - start)
    for watch in watches { watch.finish() }
    for thread in threads { thread.join() }
    let delays = watches.flatMap(\.delays).sorted()
    guard delays.count == events, watches.allSatisfy({ !$0.hasFailed }) else {
      throw BenchmarkError("\(delays.count) of \(events) events became visible")
    }
    print("p50", delays[delays.count / 2])
    print("p99", delays[delays.count * 99 / 100])
    print("max", delays[delays.count - 1])
    print("rate", rateReached)
    appender.close()
    log.close()
  }
}

/// Watches how far one partition's state is, by its committed position.
final class VisibilityWatch: Sendable {
  private struct Contents {
    var waiting: [(offset: Offset, time: Double)] = []
    var first = 0
    var delays: [Double] = []
    var isFinished = false
    var hasFailed = false
  }
  private let contents = Mutex(Contents())
  private let reader: StateReader
  private let word: String

  init(_ directory: StateDirectory, _ place: TopicPartition) throws {
    reader = try StateReader.open(
      directory.task(1, TaskName(subTopology: place.topic, partition: place.partition)))
    word = "position/\(place)"
  }

  var delays: [Double] { contents.withLock { $0.delays } }
  var hasFailed: Bool { contents.withLock { $0.hasFailed } }

  func appended(_ offset: Offset, at time: Double) {
    contents.withLock { $0.waiting.append((offset, time)) }
  }

  func finish() { contents.withLock { $0.isFinished = true } }

  func run() {
    let giveUp = Clock.now + 120
    while Clock.now < giveUp {
      let isWaiting = contents.withLock { contents in
        contents.first < contents.waiting.count ? true : contents.isFinished ? nil : false
      }
      guard let isWaiting else { return }
      guard isWaiting else {
        usleep(100)
        continue
      }
      do {
        let position = try reader.read { try $0.words()[word] ?? 0 }
        let now = Clock.now
        contents.withLock { contents in
          while contents.first < contents.waiting.count,
            contents.waiting[contents.first].offset < position
          {
            contents.delays.append(max(0, now - contents.waiting[contents.first].time))
            contents.first += 1
          }
        }
        usleep(200)
      } catch {
        contents.withLock { $0.hasFailed = true }
        return
      }
    }
    contents.withLock { $0.hasFailed = true }
  }
}

/// A thread that is joined.
final class PosixThread {
  private var thread = pthread_t()

  init(_ body: @escaping @Sendable () -> Void) {
    let box = Unmanaged.passRetained(Box(body))
    pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, box.toOpaque())
  }

  func join() { pthread_join(thread, nil) }

  private final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
}
