import TopologyTesting

/// A seeded list of actions, and the search for the shortest one that shows the same.
package struct Schedule {
  package let seed: UInt64
  package let shape: SiteShape
  package let actions: [Action]

  /// - Parameters:
  ///   - shape: the seed's, if none is given.
  ///   - kills: whether processes can be killed.
  ///   - isDone: what of it is to be done.
  package init(
    seed: UInt64, shape: SiteShape? = nil, kills: Bool, isDone: (Action) -> Bool = { _ in true }
  ) {
    self.seed = seed
    self.shape = shape ?? SiteShape(seed: seed)
    var random = SplitMix64(seed: seed &* 0xd6e8 &+ 0x0b5e)
    func below(_ limit: Int) -> Int { Int(random.next(upTo: UInt64(limit))) }
    var actions: [Action] = []
    if below(2) == 0 { actions.append(.world(.broken)) }
    for _ in 0..<(4 + below(14)) {
      let place = below(2)
      switch below(30) {
      case 0..<6:
        break
      case 6, 7: actions.append(.world(World.Phase.allCases[below(3)]))
      case 8: actions.append(.retry(place, one: below(2) == 0 ? nil : random.next()))
      case 9: actions.append(.retry(place, one: nil))
      case 10: actions.append(.skip(place, one: random.next()))
      case 11: actions.append(.release(place, one: random.next()))
      case 12, 13, 14:
        var options = RewindAction()
        options.fromEmpty = below(4) == 0
        options.dropsPrevious = below(3) == 0
        let mayEnd = options.fromEmpty
        actions.append(
          .rewind(
            place, share: below(2) == 0 ? 0 : below(1_000), options, Self.plan(&random),
            mayEnd ? .end : Self.ending(&random, kills: kills)))
      case 15, 16: actions.append(.copyState(place))
      case 17, 18:
        actions.append(.restoreCopy(place, Action.Outputs.allCases[below(3)]))
      case 19:
        actions.append(.removeState(place, Action.Outputs.allCases[below(3)]))
      case 20, 21, 22:
        let sinks = SiteShape.sinks.filter { _ in below(2) == 0 }
        actions.append(.change(place, sinks: Set(sinks), hasExtraView: below(6) == 0))
      case 23: actions.append(.trim(below(1_000)))
      case 24, 25: actions.append(.verify(place))
      default: break
      }
      actions.append(.append(count: 1 + below(20), seed: random.next()))
      let ending = Self.ending(&random, kills: kills)
      actions.append(.run(place, Self.plan(&random), ending))
    }
    if self.shape.directories == 2 {
      // Generations are numbered alike in both: what one has recorded is nothing to the other.
      let first = below(2)
      actions += [
        .run(0, RunPlan(), .end), .run(1, RunPlan(), .end),
        .rewind(first, share: 0, RewindAction(), RunPlan(), .end),
        .rewind(
          1 - first, share: 0, RewindAction(), Self.plan(&random), .fault(1 + below(40))),
        .run(1 - first, RunPlan(), .end),
      ]
    }
    self.actions = actions.filter(isDone)
  }

  private static func plan(_ random: inout SplitMix64) -> RunPlan {
    var plan = RunPlan()
    plan.threads = 1 + Int(random.next(upTo: 3))
    plan.interval = [1, 2, 5, 100_000][Int(random.next(upTo: 4))]
    plan.batch = [1, 3, 1_000][Int(random.next(upTo: 3))]
    plan.takesSnapshots = random.next(upTo: 4) == 0
    return plan
  }

  private static func ending(_ random: inout SplitMix64, kills: Bool) -> Ending {
    let calls = 1 + Int(random.next(upTo: 40))
    switch random.next(upTo: 8) {
    case 0: return .stop(calls)
    case 1: return .fault(calls)
    case 2: return .faultDuringRequest(calls)
    case 3, 4: return kills ? .kill(1 + Int(random.next(upTo: 120))) : .end
    default: return .end
    }
  }

  /// Does the actions to new sites until one shows something.
  ///
  /// - Parameter make: a new site, given to the body.
  /// - Returns: what is wrong, with the seed and the shortest list found that shows it; `nil` where
  ///   all is as it was promised.
  package func run(
    shrinking: Bool = true, _ make: (SiteShape, (Site) throws -> Void) throws -> Void
  ) throws -> String? {
    guard var wrong = try outcome(of: actions, make) else { return nil }
    var shortest = actions
    if shrinking {
      var length = max(1, shortest.count / 2)
      var tries = 150
      while length >= 1, tries > 0 {
        var start = 0
        var isShorter = false
        while start < shortest.count, tries > 0 {
          tries -= 1
          var candidate = shortest
          candidate.removeSubrange(start..<min(start + length, candidate.count))
          if let again = try outcome(of: candidate, make) {
            (shortest, wrong, isShorter) = (candidate, again, true)
          } else {
            start += length
          }
        }
        if length == 1, !isShorter { break }
        length = max(1, length / 2)
      }
    }
    return "seed \(seed): \(shape)\n"
      + shortest.map { "  \($0)" }.joined(separator: "\n") + "\n\(wrong)"
  }

  private func outcome(
    of actions: [Action], _ make: (SiteShape, (Site) throws -> Void) throws -> Void
  ) throws -> String? {
    var wrong: String?
    try make(shape) { site in
      var last = "at the beginning"
      do {
        for action in actions {
          last = "\(action)"
          try site.perform(action)
        }
        last = "at last"
        try site.finish()
      } catch let violation as Site.Violation {
        wrong = "after \(last): \(violation)"
      }
    }
    return wrong
  }
}
