package import StreamCore

/// How the process of a run is set up.
package struct RunPlan: Hashable, Sendable {
  package var threads = 1
  /// Records of one commit interval.
  package var interval = 100_000
  /// Records of one fetch.
  package var batch = 1_000
  package var takesSnapshots = false
  /// `run --outputs`, where an operator was asked for it.
  package var outputs: Action.Outputs?

  package init() {}
}

/// A rewind as it is asked for.
package struct RewindAction: Hashable, Sendable {
  package enum Target: Hashable, Sendable {
    case earliest
    case offsets([TopicPartition: Offset])
  }
  package var fromEmpty = false
  package var allowsTruncated = false
  package var dropsPrevious = false

  package init() {}
}

/// How a run or rewind ends.
package enum Ending: Hashable, Sendable {
  case end
  /// Somebody stops it in the nth call of an operator.
  case stop(Int)
  /// The disk fails in the nth call of an operator.
  case fault(Int)
  /// The same, while a retry of all dead letters is asked for.
  case faultDuringRequest(Int)
  /// Killed before its nth disk operation.
  case kill(Int)
}

/// What operators and the world do to a site. Numbers stand for choices that are made when it is
/// done, so that a list of actions stays one whatever is left out.
package enum Action: Hashable, Sendable {
  case append(count: Int, seed: UInt64)
  case run(Int, RunPlan, Ending)
  case world(World.Phase)
  case retry(Int, one: UInt64?)
  case skip(Int, one: UInt64?)
  case release(Int, one: UInt64?)
  /// Back to a share of a thousandth of each partition; 0 is the log's start.
  case rewind(Int, share: Int, RewindAction, RunPlan, Ending)
  case copyState(Int)
  case restoreCopy(Int, Outputs)
  case removeState(Int, Outputs)
  case change(Int, sinks: Set<String>, hasExtraView: Bool)
  /// Removes a share of a thousandth of each partition's records.
  case trim(Int)
  case verify(Int)

  /// The choices of `run --outputs`.
  package enum Outputs: String, Hashable, Sendable, CaseIterable { case `continue`, all, none }

  /// The state directory that it concerns.
  package var directory: Int? {
    switch self {
    case .run(let number, _, _), .retry(let number, _), .skip(let number, _),
      .release(let number, _), .rewind(let number, _, _, _, _), .copyState(let number),
      .restoreCopy(let number, _), .removeState(let number, _), .change(let number, _, _),
      .verify(let number):
      number
    case .append, .world, .trim: nil
    }
  }
}

extension Action: CustomStringConvertible {
  package var description: String {
    func which(_ one: UInt64?) -> String { one.map { "of one (\($0 % 97))" } ?? "of all" }
    switch self {
    case .append(let count, let seed): return "append \(count) records (\(seed))"
    case .run(let number, let plan, let ending): return "run \(number), \(plan), to \(ending)"
    case .world(let phase): return "the world is \(phase)"
    case .retry(let number, let one): return "retry \(number) \(which(one))"
    case .skip(let number, let one): return "skip \(number) \(which(one))"
    case .release(let number, let one): return "release \(number) \(which(one))"
    case .rewind(let number, let share, let options, let plan, let ending):
      return "rewind \(number) to \(share) of 1000\(options), \(plan), to \(ending)"
    case .copyState(let number): return "copy state \(number)"
    case .restoreCopy(let number, let outputs):
      return "restore the copy of state \(number), where asked with --outputs \(outputs)"
    case .removeState(let number, let outputs):
      return "remove state \(number), where asked with --outputs \(outputs)"
    case .change(let number, let sinks, let hasExtraView):
      return "change \(number) to sinks \(sinks.sorted())\(hasExtraView ? ", one view more" : "")"
    case .trim(let share): return "trim \(share) of 1000"
    case .verify(let number): return "verify \(number)"
    }
  }
}

extension RunPlan: CustomStringConvertible {
  package var description: String {
    "\(threads) threads, intervals of \(interval), batches of \(batch)"
      + (takesSnapshots ? ", snapshots" : "") + (outputs.map { ", --outputs \($0)" } ?? "")
  }
}

extension RewindAction: CustomStringConvertible {
  package var description: String {
    (fromEmpty ? " --from-empty" : "") + (allowsTruncated ? " --allow-truncated" : "")
      + (dropsPrevious ? " --drop-previous" : "")
  }
}

extension Ending: CustomStringConvertible {
  package var description: String {
    switch self {
    case .end: "the end"
    case .stop(let calls): "a stop in call \(calls)"
    case .fault(let calls): "a fault in call \(calls)"
    case .faultDuringRequest(let calls): "a fault in call \(calls) beside a request"
    case .kill(let operation): "a kill at operation \(operation)"
    }
  }
}
