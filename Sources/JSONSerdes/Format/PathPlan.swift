/// Declared paths as a tree of names. Each node has a small table from a hash of a name's length
/// and ends to its first entry, with a multiplier that keeps its names apart where one does.
@safe final class PathPlan {
  /// Plain, so that the search follows no reference.
  struct Entry {
    /// Of the name in ``Tables/names``.
    var start: Int32 = 0
    var count: Int32 = 0
    /// The declared field of this path, or -1.
    var slot: Int32 = -1
    /// The node of the names below, or -1.
    var child: Int32 = -1
    /// The next entry of the same bucket, or -1.
    var next: Int32 = -1
  }

  struct Node {
    var multiplier: UInt32 = 1
    /// First of the node's buckets in ``Tables/buckets``.
    var buckets: Int32 = 0
    /// The declared fields below, as a range of ``Tables/slotsBelow``.
    var firstBelow: Int32 = 0
    var countBelow: Int32 = 0
  }

  @safe struct Tables {
    let nodes: UnsafePointer<Node>
    let entries: UnsafePointer<Entry>
    /// An entry or -1.
    let buckets: UnsafePointer<Int16>
    let slotsBelow: UnsafePointer<Int32>
    let names: UnsafePointer<UInt8>
  }

  static let bucketCount = 64

  let tables: Tables
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
    unsafe tables = Tables(
      nodes: Self.copy(tree.nodes), entries: Self.copy(tree.entries),
      buckets: Self.copy(tree.buckets), slotsBelow: Self.copy(tree.slotsBelow),
      names: Self.copy(tree.names))
  }

  deinit {
    unsafe tables.nodes.deallocate()
    unsafe tables.entries.deallocate()
    unsafe tables.buckets.deallocate()
    unsafe tables.slotsBelow.deallocate()
    unsafe tables.names.deallocate()
  }

  private static func copy<Element>(_ array: [Element]) -> UnsafePointer<Element> {
    let buffer = UnsafeMutableBufferPointer<Element>.allocate(capacity: max(array.count, 1))
    _ = unsafe buffer.initialize(from: array)
    return unsafe UnsafePointer(buffer.baseAddress.unsafelyUnwrapped)
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
    var buckets: [Int16] = []
    var slotsBelow: [Int32] = []
    var names: [UInt8] = []

    func name(_ entry: Int) -> ArraySlice<UInt8> {
      names[Int(entries[entry].start)..<Int(entries[entry].start + entries[entry].count)]
    }

    mutating func add(_ path: [String], _ slot: Int) {
      var node = 0
      for (depth, name) in path.enumerated() {
        let found = entriesOfNode[node].first { self.name($0).elementsEqual(name.utf8) }
        let entry = found ?? entries.count
        if found == nil {
          entries.append(Entry(start: Int32(names.count), count: Int32(name.utf8.count)))
          names += name.utf8
          entriesOfNode[node].append(entry)
        }
        slotsOfNode[node].append(slot)
        if depth == path.count - 1 {
          entries[entry].slot = Int32(slot)
        } else {
          if entries[entry].child < 0 {
            entries[entry].child = Int32(nodes.count)
            nodes.append(Node())
            entriesOfNode.append([])
            slotsOfNode.append([])
          }
          node = Int(entries[entry].child)
        }
      }
    }

    mutating func fillBuckets() {
      precondition(entries.count < Int(Int16.max), "fewer than 32,767 names in declared paths")
      for node in nodes.indices {
        nodes[node].firstBelow = Int32(slotsBelow.count)
        nodes[node].countBelow = Int32(slotsOfNode[node].count)
        slotsBelow += slotsOfNode[node].map { Int32($0) }
        let own = entriesOfNode[node]
        // Odd multipliers from the golden ratio on; with few names one of the first fits.
        let multipliers = (0..<1024).lazy.map { 0x9E37_79B1 &+ UInt32($0) &* 0x3C6E_F372 }
        let multiplier =
          multipliers.first { multiplier in
            Set(own.map { hash($0, multiplier) }).count == own.count
          } ?? 0x9E37_79B1
        nodes[node].multiplier = multiplier
        nodes[node].buckets = Int32(buckets.count)
        buckets += Array(repeating: -1, count: bucketCount)
        for entry in own {
          let bucket = Int(nodes[node].buckets) + hash(entry, multiplier)
          entries[entry].next = Int32(buckets[bucket])
          buckets[bucket] = Int16(entry)
        }
      }
    }

    private func hash(_ entry: Int, _ multiplier: UInt32) -> Int {
      let name = name(entry)
      return bucket(
        count: name.count, first: name.first ?? 0, last: name.last ?? 0, multiplier: multiplier)
    }
  }
}
