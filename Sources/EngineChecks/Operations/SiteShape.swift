import TopologyTesting

/// What kind of topology a site of the operations check runs, as plain data.
package struct SiteShape: Hashable, Sendable, CustomStringConvertible {
  /// One topic; two that one task merges; or two with operators of their own.
  package enum Inputs: String, Hashable, Sendable { case one, merged, separate }

  /// How long ids of events are remembered.
  package enum IDs: Hashable, Sendable {
    case forever
    case count(Int)
    /// Milliseconds.
    case age(Int64)
  }

  /// What becomes of a record that fails.
  package enum FailurePolicy: String, Hashable, Sendable { case deadLetter, parkKey, fail }

  /// What it was made of.
  package private(set) var seed: UInt64 = 0
  package var inputs = Inputs.one
  package var partitions = 1
  /// State directories; with two each has every second partition.
  package var directories = 1
  /// What becomes of a record that an operator fails.
  package var process = FailurePolicy.deadLetter
  package var retries = 0
  /// Whether updates wait for the row of their key.
  package var holds = false
  package var hasTimers = false
  package var ids = IDs.forever
  package var publishesDeadLetters = false
  /// Milliseconds for which an input at its end is waited for.
  package var idle: Int64 = 0
  /// The same id with other content comes, too.
  package var hasConflicts = false
  /// Records of the far future come, too.
  package var hasFuture = false

  package init() {}

  package static let topology = "site"
  package static let deadLetterTopic = "dead"
  /// The topics that sinks may write.
  package static let sinks = ["copy", "out"]
  package static let timerTopic = "timers"
  /// From a record's time to when its timer is due.
  package static let delay: Int64 = 40
  package static let keys = 4

  package var topics: [String] { inputs == .one ? ["in-0"] : ["in-0", "in-1"] }

  /// Topics that share operators.
  package var groups: [[String]] {
    inputs == .merged ? [topics] : topics.map { [$0] }
  }

  /// Whether a program of this variant sends anything.
  package func sends(_ variant: SiteVariant) -> Bool {
    !variant.sinks.isEmpty || hasTimers || publishesDeadLetters
  }

  /// The partitions of a state directory.
  package func partitions(of directory: Int) -> [Int] {
    (0..<partitions).filter { $0 % directories == directory }
  }

  /// All records of a key lie in one partition.
  package func partition(ofKey key: Int) -> Int { key % partitions }

  package var description: String {
    "\(inputs.rawValue) input\(inputs == .one ? "" : "s"), \(partitions) partitions, \(directories) "
      + "state directories, process: \(process.rawValue) after \(retries) retries, ids \(ids), idle "
      + "\(idle) ms"
      + [
        (holds, "holds"), (hasTimers, "timers"), (publishesDeadLetters, "dead-letter topic"),
        (hasConflicts, "conflicts"), (hasFuture, "future records"),
      ].filter(\.0).map { ", \($0.1)" }.joined()
  }
}

/// What an operator of a site may change from one run to the next.
package struct SiteVariant: Hashable, Sendable, CustomStringConvertible {
  /// Which of ``SiteShape/sinks`` are there.
  package var sinks: Set<String> = ["out"]
  /// Whether there is one view more.
  package var hasExtraView = false

  package init() {}

  /// Whether anything leaves its tasks.
  func hasOutputs(_ shape: SiteShape) -> Bool {
    !sinks.isEmpty || shape.hasTimers || shape.publishesDeadLetters
  }

  package var description: String {
    "sinks \(sinks.sorted())\(hasExtraView ? ", one view more" : "")"
  }
}

extension SiteShape {
  /// The shape of a seed: each mixes a few features, so that their products come up.
  package init(seed: UInt64) {
    self.seed = seed
    var random = SplitMix64(seed: seed &* 0x9e37 &+ 0x0975)
    func chance(_ of: UInt64) -> Bool { random.next(upTo: of) == 0 }
    inputs = [.one, .one, .merged, .merged, .separate][Int(random.next(upTo: 5))]
    partitions = chance(2) ? 2 : 1
    directories = partitions == 2 && chance(2) ? 2 : 1
    process = [.deadLetter, .deadLetter, .parkKey, .parkKey, .fail][Int(random.next(upTo: 5))]
    retries = chance(4) ? 1 : 0
    hasTimers = chance(2)
    holds = chance(3)
    publishesDeadLetters = chance(3)
    if inputs == .merged, chance(3) { idle = 2 }
    hasConflicts = chance(4)
    if inputs == .one, chance(3) {
      // What is remembered is told by a rule that knows no failures.
      ids =
        chance(2)
        ? .count(3 + Int(random.next(upTo: 20))) : .age(25 + Int64(random.next(upTo: 60)) * 2)
      (process, holds, hasConflicts) = (.deadLetter, false, false)
    }
    hasFuture = chance(3)
  }

  /// Whether each record goes through at once, so that the oracle can tell all of what is applied.
  package var nothingFails: Bool { ids != .forever }
}
