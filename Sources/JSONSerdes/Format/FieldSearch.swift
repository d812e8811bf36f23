import StreamCore

/// One search of a document for declared fields, with everything it needs at hand.
@safe struct FieldSearch {
  let state: UnsafeMutablePointer<ParseState>
  let plan: PathPlan.Tables
  let fields: UnsafeMutableBufferPointer<FieldSlot>
  let places: UnsafeMutableBufferPointer<Int32>
  let rootSlot: Int

  func run() {
    for index in unsafe 0..<fields.count {
      unsafe fields[index] = .absent
      unsafe places[index] = -1
    }
    if rootSlot >= 0 { take(rootSlot, 0) }
    search(node: 0, object: 0)
  }

  /// Gives a field that is declared twice to both.
  func copy(_ copies: [(slot: Int, of: Int)]) {
    for copy in copies {
      unsafe fields[copy.slot] = fields[copy.of]
      unsafe places[copy.slot] = places[copy.of]
    }
  }

  /// Looks for the names of `node` in the value at `object`, if it is an object.
  private func search(node: Int, object: Int) {
    let text = unsafe state.pointee
    guard text.byte(object) == 0x7B else { return }
    let close = unsafe Int(text.ends[object]) - 1
    let table = unsafe plan.nodes[node]
    var index = object + 1
    while index < close {
      let name = unsafe text.stringBytes(index)
      let value = index + 2
      index = text.next(value) + 1
      var entry = unsafe find(table, name)
      if entry < 0, text.hasEscapes { entry = unsafe findEscaped(table, name) }
      guard entry >= 0 else { continue }
      let found = unsafe plan.entries[entry]
      if found.slot >= 0 {
        unsafe fields[Int(found.slot)] = text.slot(value)
        unsafe places[Int(found.slot)] = Int32(truncatingIfNeeded: value)
      }
      if found.child >= 0 {
        // The last of several members of one name counts, with all that is below it.
        forgetBelow(Int(found.child))
        search(node: Int(found.child), object: value)
      }
    }
  }

  private func take(_ slot: Int, _ value: Int) {
    unsafe fields[slot] = state.pointee.slot(value)
    unsafe places[slot] = Int32(truncatingIfNeeded: value)
  }

  private func forgetBelow(_ node: Int) {
    let table = unsafe plan.nodes[node]
    for index in Int(table.firstBelow)..<Int(table.firstBelow + table.countBelow) {
      let slot = unsafe Int(plan.slotsBelow[index])
      unsafe fields[slot] = .absent
      unsafe places[slot] = -1
    }
  }

  /// The entry of that name, or -1.
  @inline(__always)
  private func find(_ node: PathPlan.Node, _ name: UnsafeBufferPointer<UInt8>) -> Int {
    let count = name.count
    let bucket = unsafe PathPlan.bucket(
      count: count, first: count == 0 ? 0 : name[0], last: count == 0 ? 0 : name[count - 1],
      multiplier: node.multiplier)
    var entry = unsafe Int(plan.buckets[Int(node.buckets) + bucket])
    while entry >= 0 {
      let candidate = unsafe plan.entries[entry]
      if Int(candidate.count) == count {
        let own = unsafe UnsafeBufferPointer(start: plan.names + Int(candidate.start), count: count)
        if unsafe JSONName.equal(name, own) { return entry }
      }
      entry = Int(candidate.next)
    }
    return -1
  }

  @inline(never)
  private func findEscaped(_ node: PathPlan.Node, _ name: UnsafeBufferPointer<UInt8>) -> Int {
    guard unsafe name.contains(0x5C) else { return -1 }
    let text = unsafe EscapedText.bytes(name)
    return unsafe text.withUnsafeBufferPointer { unsafe find(node, $0) }
  }
}
