import StreamCore

/// One search of a document for declared fields, with everything it needs at hand.
@safe struct FieldSearch {
  let state: UnsafeMutablePointer<ParseState>
  let plan: PathPlan
  let fields: UnsafeMutableBufferPointer<FieldSlot>
  let places: UnsafeMutableBufferPointer<Int>

  func run() {
    for index in unsafe 0..<fields.count {
      unsafe fields[index] = .absent
      unsafe places[index] = -1
    }
    if plan.rootSlot >= 0 { take(plan.rootSlot, 0) }
    search(node: 0, object: 0)
    for copy in plan.copies {
      unsafe fields[copy.slot] = fields[copy.of]
      unsafe places[copy.slot] = places[copy.of]
    }
  }

  /// Looks for the names of `node` in the value at `object`, if it is an object.
  private func search(node: Int, object: Int) {
    guard unsafe state.pointee.byte(object) == 0x7B else { return }
    let hasEscapes = unsafe state.pointee.hasEscapes
    let close = unsafe Int(state.pointee.ends[object]) - 1
    var index = object + 1
    while index < close {
      let name = unsafe state.pointee.stringBytes(index)
      let value = index + 2
      index = unsafe state.pointee.next(value) + 1
      var entry = unsafe find(node, name)
      if entry < 0, hasEscapes, unsafe name.contains(0x5C) {
        let text = unsafe EscapedText.bytes(name)
        entry = unsafe text.withUnsafeBufferPointer { unsafe find(node, $0) }
      }
      guard entry >= 0 else { continue }
      let found = unsafe plan.entries[entry]
      if found.slot >= 0 { take(found.slot, value) }
      if found.child >= 0 {
        // The last of several members of one name counts, with all that is below it.
        forgetBelow(found.child)
        search(node: found.child, object: value)
      }
    }
  }

  @inline(__always)
  private func take(_ slot: Int, _ value: Int) {
    unsafe fields[slot] = state.pointee.slot(value)
    unsafe places[slot] = value
  }

  private func forgetBelow(_ node: Int) {
    let first = unsafe plan.nodes[node].firstBelow
    for index in first..<first + (unsafe plan.nodes[node].countBelow) {
      let slot = unsafe plan.slotsBelow[index]
      unsafe fields[slot] = .absent
      unsafe places[slot] = -1
    }
  }

  /// The entry of that name, or -1.
  @inline(__always)
  private func find(_ node: Int, _ name: UnsafeBufferPointer<UInt8>) -> Int {
    let count = name.count
    let bucket = unsafe PathPlan.bucket(
      count: count, first: count == 0 ? 0 : name[0], last: count == 0 ? 0 : name[count - 1],
      multiplier: plan.nodes[node].multiplier)
    var entry = unsafe plan.buckets[plan.nodes[node].buckets + bucket]
    while entry >= 0 {
      let candidate = unsafe plan.entries[entry]
      if candidate.count == count {
        let own = unsafe UnsafeBufferPointer(
          rebasing: plan.names[candidate.start..<candidate.start + count])
        if unsafe JSONName.equal(name, own) { return entry }
      }
      entry = candidate.next
    }
    return -1
  }
}
