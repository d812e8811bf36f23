import StreamCore
import Testing
import Topology
import TopologyTesting

/// "One clock decides".
@Suite("Task clock")
struct ClockTests {
  private static func time(_ milliseconds: Int64) -> Timestamp {
    Timestamp(milliseconds: milliseconds)
  }

  @Test("no time lies below every timestamp and moves nothing")
  func noTime() {
    #expect(OrderTime.none < OrderTime(Self.time(.min)))
    #expect(!(OrderTime.none < .none))
    var clock = TaskClock()
    clock.advance(to: .none)
    #expect(clock.time == nil)
    clock.advance(to: OrderTime(Self.time(-7)))
    clock.advance(to: OrderTime(Self.time(-9)))
    clock.advance(to: .none)
    #expect(clock.time == Self.time(-7))
    let firing = clock.fire(due: Self.time(-8))
    #expect(firing == Self.time(-7))
    let next = clock.fire(due: Self.time(3))
    #expect(next == Self.time(3))
  }

  private static let day: Int64 = 86_400_000

  /// The boundary of `maxAhead`, and times with which arithmetic would overflow.
  @Test(
    "an event more than maxAhead after its log's time has no time",
    arguments: [
      (day + 10, 10, JudgedTime.time(time(day + 10))),
      (day + 11, 10, .ahead(time(day + 11), logTime: time(10))),
      (0, .max, .time(time(0))), (0, .min, .ahead(time(0), logTime: time(.min))),
      (.max, 10, .outsideCalendar(time(.max))), (.min, .min, .outsideCalendar(time(.min))),
      (Timestamp.latest.milliseconds, .max, .time(.latest)),
      (Timestamp.latest.milliseconds + 1, .max, .outsideCalendar(time(253_402_300_800_000))),
      (Timestamp.earliest.milliseconds, 0, .time(.earliest)),
      (Timestamp.earliest.milliseconds - 1, 0, .outsideCalendar(time(-62_167_219_200_001))),
    ] as [(Int64, Int64, JudgedTime)])
  func ahead(event: Int64, log: Int64, expected: JudgedTime) {
    #expect(
      JudgedTime(Self.time(event), logTime: Self.time(log), maxAhead: .days(1)) == expected)
  }

  @Test("one that is ahead is processed at stream time, the first one at the log's")
  func engineTime() {
    let ahead = JudgedTime(Self.time(100), logTime: Self.time(10), maxAhead: .milliseconds(5))
    #expect(ahead.order == .none)
    #expect(ahead.engineTime(nil) == Self.time(10))
    #expect(ahead.engineTime(Self.time(3)) == Self.time(3))
    #expect(JudgedTime(nil, logTime: nil, maxAhead: nil) == .none)
    #expect(JudgedTime(.latest, logTime: .epoch, maxAhead: nil) == .time(.latest))
    #expect(JudgedTime(.latest, logTime: nil, maxAhead: .zero) == .time(.latest))
  }

  @Test("monotonic time saturates")
  func saturation() {
    #expect(MonotonicTime(nanoseconds: 5) + .seconds(Int64.max) == MonotonicTime(nanoseconds: .max))
    #expect(
      MonotonicTime(nanoseconds: .max) - MonotonicTime(nanoseconds: .min)
        == .nanoseconds(Int64.max) + .nanoseconds(Int64.max) + .nanoseconds(1))
  }
}
