public import StreamCore

/// What a generated order log is made of. Equal plans give equal records, byte for byte.
public struct OrderWorkloadPlan: Hashable, Sendable {
  public var seed: UInt64
  /// Records in all, redelivered and broken ones included.
  public var events: Int
  public var customers = 20_000
  /// Orders that events are spread over at random; a new one takes the place of an old one.
  public var ordersInFlight = 20_000
  /// Of a thousand events, those that open an order.
  public var creationsPerThousand = 320
  /// Of a thousand records, those that repeat an earlier one exactly.
  public var redeliveriesPerThousand = 10
  /// How many records back a redelivered one lies at most.
  public var redeliveryWindow = 4_096
  public var lineItems = 2...2
  /// Whether half of the records have the flat envelope, their ids in headers.
  public var mixesEnvelopes = false
  /// Fills values up to a length within this range of bytes; `nil` leaves them as they are.
  public var valueBytes: ClosedRange<Int>?
  /// Of a thousand orders, those whose confirmation arrives before their creation.
  public var overtakenPerThousand = 0
  /// Records of each kind of ``OrderWorkload/Defect``.
  public var defectsOfEachKind = 0
  public var start = Timestamp(milliseconds: 1_767_225_600_000)
  /// Event time between two events.
  public var step = Duration.milliseconds(1_000)

  public init(events: Int, seed: UInt64) {
    precondition(events >= 0, "a number of records is not negative")
    self.events = events
    self.seed = seed
  }

  /// The load of the benchmarks: nested values of 345 to 375 bytes, 20,000 customers, 20,000
  /// orders in flight, 1 % redelivered, half of the creations in version 1.
  public static func benchmark(events: Int = 2_000_000, seed: UInt64 = 42) -> OrderWorkloadPlan {
    var plan = OrderWorkloadPlan(events: events, seed: seed)
    plan.valueBytes = 345...375
    return plan
  }

  /// Everything an order log may hold: both envelopes, orders of one to four items, confirmations
  /// that overtake, broken records of each kind.
  public static func demo(events: Int = 1_000_000, seed: UInt64 = 1) -> OrderWorkloadPlan {
    var plan = OrderWorkloadPlan(events: events, seed: seed)
    plan.customers = 5_000
    plan.ordersInFlight = 2_000
    plan.lineItems = 1...4
    plan.mixesEnvelopes = true
    plan.overtakenPerThousand = 2
    plan.defectsOfEachKind = 3
    plan.step = .milliseconds(2_592)
    return plan
  }
}
