/// Declared paths as a tree of names. Each node has a small table from a hash of a name's length
/// and ends to its first entry, with a multiplier that keeps its names apart where one does.
@safe final class PathPlan {
  /// Plain, so that the search follows no reference.
  struct Entry {
    /// Of the name in ``names``.
    var start = 0
    var count = 0
    /// The declared field of this path, or -1.
    var slot = -1
    /// The node of the names below, or -1.
    var child = -1
    /// The next entry of the same bucket, or -1.
    var next = -1
  }

  struct Node {
    var multiplier: UInt32 = 1
    /// First of the node's buckets in ``buckets``.
    var buckets = 0
    /// The declared fields below, as a range of ``slotsBelow``.
    var firstBelow = 0
    var countBelow = 0
  }

  static let bucketCount = 64

  let nodes: UnsafeMutableBufferPointer<Node>
  let entries: UnsafeMutableBufferPointer<Entry>
  /// An entry or -1.
  let buckets: UnsafeMutableBufferPointer<Int>
  let slotsBelow: UnsafeMutableBufferPointer<Int>
  let names: UnsafeMutableBufferPointer<UInt8>
  /// Fields that repeat another's path, and that other one.
  let copies: [(slot: Int, of: Int)]
  /// The declared field that is the root itself, or -1.
  let rootSlot: Int

  init(_ paths: [[String]]) {
    var tree = Tree()
    var copies: [(slot: Int, of: Int)] = []
    var rootSlot = -1
    for (slot, path) in paths.enumerated() {
      if let first = paths[..<slot].firstIndex(of: path) {
        copies.append((slot, first))
      } else if path.isEmpty {
        rootSlot = slot
      } else {
        tree.add(path, slot)
      }
    }
    tree.fillBuckets()
    self.copies = copies
    self.rootSlot = rootSlot
    unsafe nodes = Self.copy(tree.nodes)
    unsafe entries = Self.copy(tree.entries)
    unsafe buckets = Self.copy(tree.buckets)
    unsafe slotsBelow = Self.copy(tree.slotsBelow)
    unsafe names = Self.copy(tree.names)
  }

  deinit {
    unsafe nodes.deallocate()
    unsafe entries.deallocate()
    unsafe buckets.deallocate()
    unsafe slotsBelow.deallocate()
    unsafe names.deallocate()
  }

  private static func copy<Element>(_ array: [Element]) -> UnsafeMutableBufferPointer<Element> {
    let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: array.count)
    _ = unsafe buffer.initialize(from: array)
    return unsafe buffer
  }

  /// - Precondition: a name of no bytes has `first` and `last` 0.
  @inline(__always)
  static func bucket(count: Int, first: UInt8, last: UInt8, multiplier: UInt32) -> Int {
    let word = UInt32(truncatingIfNeeded: count) | UInt32(first) << 8 | UInt32(last) << 16
    return Int((word &* multiplier) >> 26)
  }

  /// Built once, with arrays.
  private struct Tree {
    var nodes: [Node] = [Node()]
    var entriesOfNode: [[Int]] = [[]]
    var slotsOfNode: [[Int]] = [[]]
    var entries: [Entry] = []
    var buckets: [Int] = []
    var slotsBelow: [Int] = []
    var names: [UInt8] = []

    mutating func add(_ path: [String], _ slot: Int) {
      var node = 0
      for (depth, name) in path.enumerated() {
        let bytes = Array(name.utf8)
        let found = entriesOfNode[node].first {
          Array(names[entries[$0].start..<entries[$0].start + entries[$0].count]) == bytes
        }
        let entry = found ?? entries.count
        if found == nil {
          entries.append(Entry(start: names.count, count: bytes.count))
          names += bytes
          entriesOfNode[node].append(entry)
        }
        slotsOfNode[node].append(slot)
        if depth == path.count - 1 {
          entries[entry].slot = slot
        } else {
          if entries[entry].child < 0 {
            entries[entry].child = nodes.count
            nodes.append(Node())
            entriesOfNode.append([])
            slotsOfNode.append([])
          }
          node = entries[entry].child
        }
      }
    }

    mutating func fillBuckets() {
      for node in nodes.indices {
        nodes[node].firstBelow = slotsBelow.count
        nodes[node].countBelow = slotsOfNode[node].count
        slotsBelow += slotsOfNode[node]
        let own = entriesOfNode[node]
        // Odd multipliers from the golden ratio on; with few names one of the first fits.
        let multipliers = (0..<4096).lazy.map { 0x9E37_79B1 &+ UInt32($0) &* 0x3C6E_F372 }
        let multiplier =
          multipliers.first { multiplier in
            Set(own.map { hash($0, multiplier) }).count == own.count
          } ?? 0x9E37_79B1
        nodes[node].multiplier = multiplier
        nodes[node].buckets = buckets.count
        buckets += Array(repeating: -1, count: bucketCount)
        for entry in own {
          let bucket = nodes[node].buckets + hash(entry, multiplier)
          entries[entry].next = buckets[bucket]
          buckets[bucket] = entry
        }
      }
    }

    private func hash(_ entry: Int, _ multiplier: UInt32) -> Int {
      let (start, count) = (entries[entry].start, entries[entry].count)
      return bucket(
        count: count, first: count == 0 ? 0 : names[start],
        last: count == 0 ? 0 : names[start + count - 1], multiplier: multiplier)
    }
  }
}
