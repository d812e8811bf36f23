import StateStore
import StreamCore

/// Checks the sequence numbers of events against the rows of views, and keeps the numbers that came
/// and never reached them.
///
/// A number has come once a record of it was consumed, whatever its fate, except while it waits for
/// its number or stands in a line. What no row says of that lies here, beside it, until the rows
/// have passed it.
@usableFromInline
final class SequenceNumbers {
  private let numbers: EntryStore
  private let context: RecordContext
  /// How many views check the numbers of the events of each source.
  private let views: [String: Int]
  /// Of the running unit: views whose rows have passed its number, and the least of them.
  private var passed = 0
  private var lowest = Int64.max

  init(_ numbers: EntryStore, _ context: RecordContext, views: [String: Int]) {
    self.numbers = numbers
    self.context = context
    self.views = views
  }

  /// Whether any view of the task checks.
  var isUsed: Bool { !views.isEmpty }

  func beginUnit() { (passed, lowest) = (0, .max) }

  /// The numbers of a key that came and did not reach its rows, in order.
  private func loose(_ group: [UInt8]) throws -> [(number: Int64, entry: Int64)] {
    guard numbers.count > 0 else { return [] }
    return try numbers.numbers(group: group).compactMap { entry in
      try numbers.entry(entry).map { ($0.bytes.span.bytes.sequenceNumber, entry) }
    }.sorted { $0.number < $1.number }
  }

  /// Judges the number of the running record.
  ///
  /// - Parameters:
  ///   - last: the number of the last event that the row took; `nil` without a row.
  ///   - first: the number with which an aggregate begins; `nil`: the one that comes first.
  /// - Throws: ``ProcessingFailure`` where the policy says so.
  @usableFromInline
  func check(_ number: Int64, after last: Int64?, first: Int64?, in name: String) throws {
    // The common case, without a look at anything.
    if let last, number == last &+ 1, numbers.count == 0 { return }
    if context.isReleased { return }
    let loose = try loose(context.order.group(.waiting)).map(\.number)
    var expected: Int64
    if let last {
      expected = last &+ 1
    } else if let first = first ?? loose.first {
      // Below those that wait for their row nothing is a regression.
      if number < first { return }
      expected = first
    } else {
      return
    }
    for came in loose where came == expected { expected = came &+ 1 }
    if number == expected { return }
    let isRegression = number < expected || loose.contains(number)
    let message =
      "sequence number \(number) where \(expected) comes next of aggregate "
      + "'\(context.aggregateID ?? "")'"
    if isRegression {
      context.counters.count(number == last ? .sequenceRepeat : .sequenceRegression)
      try judge(context.policies.sequenceRegression, message, name)
    } else {
      try judge(context.policies.sequenceGap, message, name)
    }
  }

  private func judge(_ policy: SequenceRegressionPolicy, _ message: String, _ name: String) throws {
    let action: ErrorPolicy.Action
    switch policy {
    case .ignore: return
    case .warn: return context.warn("\(message) at \(context.topicPartition)@\(context.offset)")
    case .deadLetter: action = .deadLetter
    case .fail: action = .fail
    }
    throw ProcessingFailure(
      .process, .sequenceRegression, message, operatorName: name, action: action)
  }

  private func judge(_ policy: SequenceGapPolicy, _ message: String, _ name: String) throws {
    let action: ErrorPolicy.Action
    switch policy {
    case .hold: throw ProcessingFailure.held(.sequenceGap, by: name)
    case .ignore: return context.counters.count(.sequenceGap)
    case .warn:
      context.counters.count(.sequenceGap)
      return context.warn("\(message) at \(context.topicPartition)@\(context.offset)")
    case .parkKey: action = .parkKey
    case .deadLetter: action = .deadLetter
    case .fail: action = .fail
    }
    context.counters.count(.sequenceGap)
    throw ProcessingFailure(.process, .sequenceGap, message, operatorName: name, action: action)
  }

  /// A view's row stands at this number now.
  @usableFromInline
  func note(row last: Int64?) {
    guard let last, let number = context.sequenceNumber, last >= number else { return }
    passed += 1
    lowest = min(lowest, last)
  }

  /// At the end of a unit: a number has come, and rows may have passed others.
  func settle(_ number: Int64, of order: KeptKey) throws {
    guard let views = views[order.topic] else { return }
    let hasPassed = passed >= views
    if hasPassed, numbers.count == 0 { return }
    let group = order.group(.waiting)
    let loose = try loose(group)
    if hasPassed {
      for came in loose where came.number <= lowest { try numbers.delete(came.entry) }
    } else if !loose.contains(where: { $0.number == number }) {
      var bytes: [UInt8] = []
      unsafe withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
      numbers.insert(group: group, idHash: nil, bytes.span.bytes)
    }
  }
}

extension RawSpan {
  /// As ``SequenceNumbers`` writes it.
  fileprivate var sequenceNumber: Int64 {
    guard byteCount == 8 else { return 0 }
    return Int64(littleEndian: unsafe unsafeLoadUnaligned(as: Int64.self))
  }
}

extension Topology {
  /// How many views check the sequence numbers of each source's events.
  func sequenceViews(_ sub: SubTopology) -> [String: Int] {
    var views: [String: Int] = [:]
    for id in sub.operators
    where operators[id].parameters.contains(where: { $0.name == "sequence" }) {
      for topic in topics(above: id) { views[topic, default: 0] += 1 }
    }
    return views
  }

  /// Topics whose records reach an operator.
  private func topics(above operatorID: Int) -> Set<String> {
    var (topics, pending, seen): (Set<String>, [Int], Set<Int>) = ([], [operatorID], [])
    while let id = pending.popLast() {
      guard seen.insert(id).inserted else { continue }
      if case .source(let topic) = operators[id].kind { topics.insert(topic) }
      pending += operators[id].inputs.map(\.id)
    }
    return topics
  }
}
