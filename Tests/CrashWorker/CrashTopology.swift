import Glibc
import StreamCore
import Synchronization
import Topology

/// The topology that dies: a count, a fold, a table, timers, a sink, dead letters that park keys.
///
/// It dies by itself before the `n`th call of a handler, if `PROJECTOR_DIE_IN_HANDLER` says so.
enum CrashTopology {
  private static let calls = Mutex(0)

  static func build() throws -> Topology {
    let builder = StreamsBuilder("crash", deadLetterTopic: "dead")
    let deathCall = number("PROJECTOR_DIE_IN_HANDLER")
    let reminders = builder.store(named: "reminders", key: String.self, as: CountSerde())
    let stream = builder.stream(
      "in", key: StringSerde(), value: StringSerde(),
      policies: SourcePolicies(process: .parkKey)
    )
    .peek(named: "death") { _, value, _ in
      let call = calls.withLock { calls in
        calls += 1
        return calls
      }
      if call == deathCall { kill(getpid(), SIGKILL) }
      if value.hasPrefix("bad") { throw SerdeError("a value that is bad") }
    }
    stream.groupByKey().count(named: "counts").view()
    stream.groupByKey().aggregate(into: "", named: "texts", as: StringSerde()) { row, value in
      row = String((row + value).suffix(60))
    }
    .view().toStream().to("texts", key: StringSerde(), value: StringSerde())
    stream.process(named: "remind", stores: ["reminders"]) { context in
      let store = context.store(reminders)
      return Processor(
        onTimer: { key, time in try context.forward(key, "timer \(time.milliseconds)") },
        process: { key, _ in
          try store.put(key, (try store.get(key) ?? 0) + 1)
          context.markApplied()
          try context.schedule(key, at: context.record.timestamp + .milliseconds(50))
        })
    }
    .to("timers", key: StringSerde(), value: StringSerde())
    return try builder.build()
  }

  /// A number from the environment; 0 where it has none.
  static func number(_ name: String) -> Int {
    guard let text = getenv(name) else { return 0 }
    return Int(String(cString: text)) ?? 0
  }
}
