/// Notices what a live task takes otherwise than the merge rule would have, had all of its inputs
/// been there: that, and no more, is journalled.
///
/// A unit departs from the rule where another one that the rule puts behind it went first since the
/// last unit of its input. Its entry says so in the unit itself; a replay has read that far ahead
/// (``span`` units) and lets the input wait. So that it need not read further, an input of which
/// nothing came for as many units, or whose late unit is still kept waiting by others, is declared
/// absent, and its next unit is journalled in any case. Two inputs that take turns cost no entry.
struct DepartureWatch {
  /// How many units a replay looks ahead.
  static let span: Int64 = 4_096

  private struct Input {
    /// Since when it has nothing, or something late; `nil` while it waits its turn in order.
    var missingSince: Int64?
    /// Its next unit is journalled whatever it is: it was declared absent.
    var isAbsent = false
    /// Likewise, for nothing is remembered of what went before it.
    var isUnsure = false
  }

  private var inputs: [Input]
  private var recent: RecentKeys
  /// Inputs that may become absent, in the order of the units since which something is missing.
  private var missing: [(input: Int, since: Int64)] = []
  private var missingHead = 0
  private let span: Int64

  /// - Parameters:
  ///   - lastUnits: in which unit the last of each input was taken.
  ///   - unit: the next unit.
  init(lastUnits: [Int64?], at unit: Int64, span: Int64 = Self.span) {
    self.span = span
    recent = RecentKeys(from: unit, span: span)
    inputs = lastUnits.map { _ in Input() }
    // Of what was taken before a start nothing is remembered: the next of each input is journalled.
    for (input, last) in lastUnits.enumerated() {
      let since = last.map { $0 + 1 } ?? 0
      // One that was not declared absent by then had something that waited its turn.
      inputs[input].missingSince = unit - since < span ? since : unit
      inputs[input].isUnsure = since < unit
    }
    for (input, state) in inputs.enumerated() {
      if let since = state.missingSince { missing.append((input, since)) }
    }
    missing.sort { ($0.since, $0.input) < ($1.since, $1.input) }
  }

  /// An input has another head than before, or none.
  ///
  /// - Parameter unit: the next unit.
  mutating func changed(_ input: Int, head: OrderTime?, at unit: Int64) {
    guard let head else {
      if inputs[input].missingSince == nil { miss(input, since: unit) }
      return
    }
    guard let since = inputs[input].missingSince, !inputs[input].isAbsent,
      !inputs[input].isUnsure
    else { return }
    if !recent.overtook(UnitKey(time: head, input: Int32(input)), since: since) {
      inputs[input].missingSince = nil
    }
  }

  private mutating func miss(_ input: Int, since unit: Int64) {
    inputs[input].missingSince = unit
    missing.append((input, unit))
  }

  /// Since which unit an input was kept from its place, where its head departs from the rule.
  func departure(of input: Int) -> Int64? { inputs[input].missingSince }

  /// A unit of an input was taken.
  mutating func took(_ input: Int, _ time: OrderTime, in unit: Int64) {
    inputs[input] = Input()
    recent.note(UnitKey(time: time, input: Int32(input)), of: unit)
  }

  /// What was due at a time beyond the clock went.
  mutating func fired(at time: OrderTime, in unit: Int64) {
    recent.note(UnitKey(time: time, input: -1), of: unit)
  }

  /// Inputs that are absent from this unit's end on, with the units since which they are.
  mutating func absences(at unit: Int64) -> [(input: Int, since: Int64)] {
    var absent: [(input: Int, since: Int64)] = []
    while missingHead < missing.count, missing[missingHead].since + span <= unit + 1 {
      let (input, since) = missing[missingHead]
      missingHead += 1
      guard inputs[input].missingSince == since, !inputs[input].isAbsent else { continue }
      inputs[input].isAbsent = true
      absent.append((input, since))
    }
    if missingHead > 64, missingHead * 2 > missing.count {
      missing.removeFirst(missingHead)
      missingHead = 0
    }
    return absent
  }
}
