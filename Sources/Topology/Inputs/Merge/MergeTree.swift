import StreamCore

/// The standings of a task's inputs under a tree of their extremes: what a step asks for stands at
/// the root, and a changed input costs O(log n).
struct MergeTree {
  /// The earliest time of what inputs without a head may still bring.
  enum Promise: Comparable {
    /// Some input says nothing of what it still brings.
    case unknown
    case time(OrderTime)
    /// No input brings more before its end.
    case never
  }

  /// What is known of some inputs together.
  struct Extremes: Equatable {
    /// The input whose head goes first: lowest time, then lowest number; -1 where none has one.
    var first: Int32 = -1
    var firstTime = OrderTime.none
    var promise = Promise.never
    /// The highest time that one has reached, by a head or a promise.
    var reached = OrderTime.none
    /// Until when one that is at its end is waited for.
    var waitUntil: MonotonicTime?

    init() {}

    init(_ standing: InputStanding, of input: Int) {
      switch standing {
      case .head(let time): (first, firstTime, reached) = (Int32(input), time, time)
      case .open(let promise):
        self.promise = promise.map { .time($0) } ?? .unknown
        reached = promise ?? .none
      case .ended(let reached, let until): (self.reached, waitUntil) = (reached, until)
      }
    }

    /// - Parameter left: of the inputs with the lower numbers.
    init(_ left: Extremes, _ right: Extremes) {
      self = left
      if left.first < 0 || right.first >= 0 && right.firstTime < left.firstTime {
        (first, firstTime) = (right.first, right.firstTime)
      }
      promise = min(left.promise, right.promise)
      reached = max(left.reached, right.reached)
      if let other = right.waitUntil { waitUntil = waitUntil.map { max($0, other) } ?? other }
    }

    /// The earliest time of what is there and of what may still come; what is due at it or before
    /// it is due before any of that.
    var lowest: Promise { first < 0 ? promise : min(promise, .time(firstTime)) }
  }

  /// Inputs lie behind the inner nodes: the children of node n are 2n and 2n + 1.
  private var nodes: [Extremes]
  private let leaves: Int

  init(count: Int) {
    var leaves = 1
    while leaves < count { leaves *= 2 }
    self.leaves = leaves
    nodes = Array(repeating: Extremes(), count: leaves * 2)
  }

  var extremes: Extremes { nodes[1] }

  mutating func set(_ standing: InputStanding, of input: Int) {
    var node = leaves + input
    nodes[node] = Extremes(standing, of: input)
    while node > 1 {
      node /= 2
      let extremes = Extremes(nodes[2 * node], nodes[2 * node + 1])
      // What others know does not change either.
      if extremes == nodes[node] { return }
      nodes[node] = extremes
    }
  }

  /// Until when an input is waited for that is at its end.
  func waitUntil(of input: Int) -> MonotonicTime? { nodes[leaves + input].waitUntil }

  mutating func clear(waitOf input: Int) {
    let reached = nodes[leaves + input].reached
    set(.ended(reached: reached, waitedForUntil: nil), of: input)
  }
}
