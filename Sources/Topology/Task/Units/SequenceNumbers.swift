import StateStore
import StreamCore

/// Checks the sequence numbers of events against the rows of views, and keeps the numbers that came
/// and never reached them.
///
/// A number has come once a record of it was consumed, whatever its fate, except while it waits for
/// its number or stands in a line. What no row says of that lies here, beside it, until the rows
/// have passed it: as ranges, for numbers that come one after another are many.
@usableFromInline
final class SequenceNumbers {
  private let numbers: EntryStore
  private let context: RecordContext
  /// The views that check the numbers of the events of each source.
  private let views: [String: [String]]
  /// What a view has of a key; `nil` of one that cannot be asked.
  var probe: (_ view: String, _ key: [UInt8]) throws -> RowProbe? = { _, _ in nil }
  /// Of the running unit: views whose rows have passed its number, and the least of them.
  private var passed = 0
  private var lowest = Int64.max
  /// Whether a number has come in the running unit.
  private(set) var hasCome = false

  init(_ numbers: EntryStore, _ context: RecordContext, views: [String: [String]]) {
    self.numbers = numbers
    self.context = context
    self.views = views
  }

  /// Whether any view of the task checks.
  var isUsed: Bool { !views.isEmpty }

  func beginUnit() { (passed, lowest, hasCome) = (0, .max, false) }

  /// Numbers of a key that came one after another and did not reach its rows.
  private struct Range {
    var first: Int64
    var last: Int64
    var entry: Int64
  }

  /// The first range of a key that ends at a number or beyond it.
  private func range(of group: [UInt8], endingFrom number: Int64) throws -> Range? {
    // Ranges are ranked by their last numbers.
    guard numbers.count > 0,
      let place = try numbers.next(group: group, from: EntryPlace(rank: number)),
      let entry = try numbers.entry(place.number)
    else { return nil }
    return Range(
      first: entry.bytes.span.bytes.sequenceNumber, last: place.rank, entry: place.number)
  }

  /// The number that comes next of a key; `nil` where any may be the first.
  ///
  /// - Parameters:
  ///   - last: the number of the last event that the row took; `nil` without a row.
  ///   - first: the number with which an aggregate begins; `nil`: the one that comes first.
  func expected(_ order: KeptKey, after last: Int64?, first: Int64?) throws -> Int64? {
    let group = order.group(.numbers)
    let start: Int64
    if let last {
      start = last &+ 1
    } else if let first = try first ?? range(of: group, endingFrom: .min)?.first {
      start = first
    } else {
      return nil
    }
    if let range = try self.range(of: group, endingFrom: start), range.first <= start {
      return range.last &+ 1
    }
    return start
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
    guard let expected = try expected(context.order, after: last, first: first) else { return }
    if number == expected { return }
    let came = try range(of: context.order.group(.numbers), endingFrom: number)
    let isKnown = came.map { $0.first <= number } ?? false
    // Below those that wait for their row nothing is a regression.
    if last == nil, !isKnown, number < expected { return }
    let message =
      "sequence number \(number) where \(expected) comes next of aggregate "
      + "'\(context.aggregateID ?? "")'"
    if isKnown || number < expected {
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
    hasCome = true
    if passed >= views.count, numbers.count == 0 { return }
    let group = order.group(.numbers)
    // A row may have passed a number long before it comes.
    let lowest = passed >= views.count ? lowest : try least(of: views, key: order.key)
    if let lowest, lowest >= number { return try drop(group, upTo: lowest) }
    try insert(number, into: group)
  }

  /// The least of the numbers at which the rows of a key stand; `nil` where one of them stands at none.
  private func least(of views: [String], key: [UInt8]) throws -> Int64? {
    var least = Int64.max
    for view in views {
      guard let last = try probe(view, key)?.last else { return nil }
      least = min(least, last)
    }
    return least
  }

  private func drop(_ group: [UInt8], upTo number: Int64) throws {
    while let range = try self.range(of: group, endingFrom: .min), range.first <= number {
      guard range.last > number else {
        try numbers.delete(range.entry)
        continue
      }
      return try put(Range(first: number + 1, last: range.last, entry: range.entry), in: group)
    }
  }

  private func insert(_ number: Int64, into group: [UInt8]) throws {
    let before = number == .min ? number : number - 1
    guard var range = try self.range(of: group, endingFrom: before) else {
      return add(number, to: group)
    }
    if range.first <= number, number <= range.last { return }
    if range.last == before {
      range.last = number
      // It may close the gap to the next one.
      if number < .max, let next = try self.range(of: group, endingFrom: number + 1),
        next.first == number + 1
      {
        range.last = next.last
        try numbers.delete(next.entry)
      }
      return try put(range, in: group)
    }
    guard range.first - 1 == number else { return add(number, to: group) }
    range.first = number
    try put(range, in: group)
  }

  private func add(_ number: Int64, to group: [UInt8]) {
    numbers.insert(group: group, rank: number, idHash: nil, number.littleEndianBytes.span.bytes)
  }

  private func put(_ range: Range, in group: [UInt8]) throws {
    try numbers.replace(
      range.entry, group: group, rank: range.last, range.first.littleEndianBytes.span.bytes)
  }
}

extension Int64 {
  /// As ``SequenceNumbers`` reads it.
  fileprivate var littleEndianBytes: [UInt8] {
    var bytes: [UInt8] = []
    unsafe withUnsafeBytes(of: littleEndian) { unsafe bytes.append(contentsOf: $0) }
    return bytes
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
  /// The views that check the sequence numbers of each source's events.
  func sequenceViews(_ sub: SubTopology) -> [String: [String]] {
    var views: [String: [String]] = [:]
    for id in sub.operators
    where operators[id].parameters.contains(where: { $0.name == "sequence" }) {
      for topic in topics(above: id) { views[topic, default: []].append(operators[id].name) }
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
