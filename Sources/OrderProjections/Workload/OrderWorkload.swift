public import StreamCore

/// A seeded order log: an endless supply of equal runs, and the views they must end in.
///
///     var workload = OrderWorkload(.benchmark())
///     while let record = workload.next() { … }
///     let expected = workload.oracle
///
/// Millions of records a second, so that a benchmark measures the engine and not its input.
public struct OrderWorkload {
  public let plan: OrderWorkloadPlan
  /// Records given so far.
  public private(set) var emitted = 0
  var random: SeededRandom
  private(set) var orders: [WorkloadOrder] = []
  private var inFlight: [Int32] = []
  /// The last good records, for redelivery, and what creations among them amount to; `nil` where
  /// a slot holds none.
  private var recent: [(record: ProducerRecord, hundredths: Int)?]
  /// Creations given so far, redelivered ones included, and the sum of their amounts.
  private var creations = (count: 0, hundredths: 0)
  /// The creation that its order's confirmation has just overtaken.
  private var overtaken: (order: Int, time: Int64)?
  private var defects: [(position: Int, defect: Defect)] = []
  private(set) var fates: [String: Int] = [:]
  private(set) var good = 0
  private var duplicates = 0
  var time: Int64
  private let stepMilliseconds: Int64
  let headers = OrderHeaders()

  public init(_ plan: OrderWorkloadPlan) {
    precondition(plan.customers > 0 && plan.ordersInFlight > 0, "there are customers and orders")
    precondition(plan.redeliveryWindow > 0, "a redelivery lies at least one record back")
    self.plan = plan
    random = SeededRandom(seed: plan.seed)
    recent = Array(repeating: nil, count: plan.redeliveryWindow)
    time = plan.start.milliseconds
    let step = plan.step.components
    stepMilliseconds = step.seconds * 1_000 + step.attoseconds / 1_000_000_000_000_000
    planDefects()
  }

  /// The next record, or `nil` behind the last one.
  public mutating func next() -> ProducerRecord? {
    guard emitted < plan.events else { return nil }
    let slot = emitted % recent.count
    defer { emitted += 1 }
    if let (order, time) = overtaken {
      overtaken = nil
      return keep(order, at: time, slot)
    }
    if defects.last?.position == emitted, let (_, defect) = defects.popLast() {
      recent[slot] = nil
      return broken(defect)
    }
    if random.below(1_000) < plan.redeliveriesPerThousand, let record = recentRecord() {
      recent[slot] = nil
      duplicates += 1
      count(record.hundredths)
      return record.record
    }
    time += stepMilliseconds
    if inFlight.isEmpty || random.below(1_000) < plan.creationsPerThousand {
      return open(slot)
    }
    return keep(advance(inFlight: random.below(inFlight.count)), 0, slot)
  }

  /// What a correct run over the records given so far ends in.
  public var oracle: OrderOracle {
    var fates = fates
    fates["applied", default: 0] += good
    fates["duplicate", default: 0] += duplicates
    fates["consumed"] = emitted
    return OrderOracle(
      plan, orders: orders, fates: fates, auditEvents: good, creations: creations)
  }

  /// - Parameter hundredths: the amount of a creation, else 0.
  private mutating func keep(
    _ record: ProducerRecord, _ hundredths: Int, _ slot: Int
  ) -> ProducerRecord {
    recent[slot] = (record, hundredths)
    good += 1
    count(hundredths)
    return record
  }

  private mutating func keep(_ creation: Int, at time: Int64, _ slot: Int) -> ProducerRecord {
    let order = orders[creation]
    let details = order.details(plan)
    return keep(
      event(EventParts(order, .created, sequence: 1, at: time), details), details.total, slot)
  }

  private mutating func count(_ hundredths: Int) {
    guard hundredths > 0 else { return }
    creations.count += 1
    creations.hundredths += hundredths
  }

  /// One of the records of the redelivery window, if it is a good one.
  mutating func recentRecord() -> (record: ProducerRecord, hundredths: Int)? {
    let reach = min(emitted, recent.count)
    guard reach > 0 else { return nil }
    return recent[(emitted - 1 - random.below(reach)) % recent.count]
  }

  private mutating func open(_ slot: Int) -> ProducerRecord {
    let index = orders.count
    let id = UUIDText(&random)
    let version: UInt8 = random.next() & 1 == 0 ? 1 : 2
    orders.append(
      WorkloadOrder(
        id: id, version: version, status: .created, sequence: 1, createdAt: time,
        updatedAt: time))
    if inFlight.count < plan.ordersInFlight {
      inFlight.append(Int32(index))
    } else {
      inFlight[random.below(inFlight.count)] = Int32(index)
    }
    guard plan.overtakenPerThousand > 0, emitted + 1 < plan.events,
      random.below(1_000) < plan.overtakenPerThousand
    else { return keep(index, at: time, slot) }
    overtaken = (index, time)
    time += stepMilliseconds
    orders[index].status = .confirmed
    orders[index].sequence = 2
    orders[index].updatedAt = time
    return keep(update(orders[index]), 0, slot)
  }

  private mutating func advance(inFlight slot: Int) -> ProducerRecord {
    let index = Int(inFlight[slot])
    let status = Self.next(orders[index].status, roll: random.below(100))
    orders[index].status = status
    orders[index].sequence += 1
    orders[index].updatedAt = time
    if status == .delivered || status == .cancelled {
      inFlight.swapAt(slot, inFlight.count - 1)
      inFlight.removeLast()
    }
    return update(orders[index])
  }

  private static func next(_ status: OrderStatus, roll: Int) -> OrderStatus {
    switch status {
    case .created: roll < 5 ? .cancelled : .confirmed
    case .confirmed: roll < 4 ? .cancelled : .paid
    case .paid: roll < 2 ? .cancelled : .shipped
    case .shipped, .delivered, .cancelled: .delivered
    }
  }

  private mutating func update(_ order: WorkloadOrder) -> ProducerRecord {
    event(
      EventParts(order, order.status, sequence: Int(order.sequence), at: order.updatedAt), nil)
  }

  // MARK: Defects

  private mutating func planDefects() {
    let kinds = Defect.allCases
    let count = kinds.count * plan.defectsOfEachKind
    guard count > 0 else { return }
    precondition(count * 4 <= plan.events, "too few records for so many broken ones")
    let stride = plan.events / count
    for number in 0..<count {
      // Not before there is something to redeliver.
      let position = number * stride + 1 + random.below(stride - 1)
      defects.append((position, kinds[number % kinds.count]))
    }
    defects.reverse()
  }

  mutating func count(_ fate: String) { fates[fate, default: 0] += 1 }
}
