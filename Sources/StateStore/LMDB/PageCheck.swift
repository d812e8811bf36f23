import CLMDB
import Glibc

/// Looks whether the pages of a data file are what its trees say of them: LMDB believes every page,
/// and copying a damaged one ends the process or writes over its memory.
///
/// The layout is that of LMDB 0.9's `mdb.c` (`MDB_page`, `MDB_node`, `MDB_db`, `MDB_meta`); numbers
/// are in the machine's byte order. Tables with several values a key, which nobody makes here, are
/// damage too.
struct PageCheck {
  private enum Kind { case free, main, named }

  private struct Tree {
    let depth: Int
    let root: UInt64
  }

  private struct Node {
    let flags: UInt16
    let key: Range<Int>
    let value: Range<Int>
  }

  private static let headerBytes = 16
  private static let nodeBytes = 8
  private static let treeBytes = 48
  private static let isBig: UInt16 = 1
  private static let isTree: UInt16 = 2

  private let file: Int32
  private let pageSize: Int
  private let directory: String
  private let isEnded: () -> Bool
  private var pageCount = 0
  private var page: [UInt8]
  /// Pages that a tree has, or the free list.
  private var taken: [Bool] = []
  private var trees: [Tree] = []
  /// Of these tables; `nil` for all.
  private var wanted: Set<[UInt8]>?

  /// - Parameters:
  ///   - file: of an environment that a transaction keeps from using its pages again.
  ///   - isEnded: asked from page to page; where it says so, the check ends there.
  init(
    _ file: Int32, pageSize: Int, directory: String, isEnded: @escaping () -> Bool = { false }
  ) {
    self.file = file
    self.isEnded = isEnded
    self.pageSize = pageSize
    self.directory = directory
    page = [UInt8](repeating: 0, count: pageSize)
  }

  /// Visits every page of one commit, each once.
  ///
  /// - Parameters:
  ///   - transaction: the number of the commit.
  ///   - tables: the names of those to visit, and no free page; `nil` for everything.
  /// - Returns: `false` where no meta page is of that commit any more.
  /// - Throws: ``StoreError``: `corrupted`; `cancelled` where it was ended.
  mutating func run(
    transaction: Int, tables: [String]? = nil
  ) throws(StoreError) -> Bool {
    wanted = tables.map { Set($0.map(\.utf8Bytes)) }
    for number in 0..<2 {
      try load(number, into: &page)
      guard loaded(144, UInt64.self) == UInt64(transaction) else { continue }
      pageCount = Int(truncatingIfNeeded: loaded(136, UInt64.self)) + 1
      let size = fileBytes / pageSize
      guard pageCount >= 2, pageCount <= size else { throw damaged("there are \(size) pages") }
      taken = [Bool](repeating: false, count: pageCount)
      (taken[0], taken[1]) = (true, true)
      let (free, main) = (tree(at: 40), tree(at: 88))
      try visit(main, .main)
      while let named = trees.popLast() { try visit(named, .named) }
      // Last: what is free must not be anything else.
      if wanted == nil { try visit(free, .free) }
      return true
    }
    return false
  }

  private var fileBytes: Int {
    var status = stat()
    return unsafe fstat(file, &status) == 0 ? Int(status.st_size) : 0
  }

  private func damaged(_ what: String) -> StoreError {
    StoreError(
      .corrupted, "the file is damaged: \(what); rebuild the state, or remove the snapshot",
      store: directory)
  }

  private mutating func visit(_ tree: Tree, _ kind: Kind) throws(StoreError) {
    if tree.root == .max && tree.depth == 0 { return }
    var pending = [(page: tree.root, level: 1)]
    while let (number, level) = pending.popLast() {
      if isEnded() { throw StoreError(.cancelled, "the check was ended early", store: directory) }
      try take(number, count: 1)
      try load(Int(number), into: &page)
      let isLeaf = level == tree.depth
      guard level <= tree.depth, loaded(0, UInt64.self) == number,
        loaded(10, UInt16.self) == (isLeaf ? 2 : 1)
      else { throw damaged("page \(number) is not what its tree says") }
      for node in try nodes(number, isLeaf) {
        guard isLeaf else {
          // Where a value has its length, a branch has its page.
          let child = node.value.lowerBound
          pending.append((UInt64(child) | UInt64(node.flags) << 32, level + 1))
          continue
        }
        try check(node, of: number, kind)
      }
    }
  }

  /// The entries of the page that is loaded; of a branch, the lower half of a child's number as
  /// the beginning of its value.
  private func nodes(_ number: UInt64, _ isLeaf: Bool) throws(StoreError) -> [Node] {
    let (lower, upper) = (Int(loaded(12, UInt16.self)), Int(loaded(14, UInt16.self)))
    let wrong = damaged("the entries of page \(number) are not where they should be")
    guard lower > Self.headerBytes, lower % 2 == 0, lower <= upper, upper <= pageSize else {
      throw wrong
    }
    var nodes: [Node] = []
    for place in stride(from: Self.headerBytes, to: lower, by: 2) {
      let start = Int(loaded(place, UInt16.self))
      guard start >= upper, start + Self.nodeBytes <= pageSize else { throw wrong }
      let length = Int(loaded(start, UInt16.self)) | Int(loaded(start + 2, UInt16.self)) << 16
      let flags = loaded(start + 4, UInt16.self)
      let value = start + Self.nodeBytes + Int(loaded(start + 6, UInt16.self))
      guard value <= pageSize else { throw wrong }
      let key = (start + Self.nodeBytes)..<value
      guard isLeaf else {
        nodes.append(Node(flags: flags, key: key, value: length..<length))
        continue
      }
      let stored = flags & Self.isBig != 0 ? 8 : length
      guard value + stored <= pageSize, flags <= Self.isTree else { throw wrong }
      nodes.append(Node(flags: flags, key: key, value: value..<value + length))
    }
    return nodes
  }

  private mutating func check(
    _ node: Node, of number: UInt64, _ kind: Kind
  ) throws(StoreError) {
    if node.flags == Self.isTree {
      guard kind == .main, node.value.count == Self.treeBytes else {
        throw damaged("page \(number) has a table where none may be")
      }
      if wanted?.contains(Array(page[node.key])) ?? true {
        trees.append(tree(at: node.value.lowerBound))
      }
      return
    }
    guard node.flags == Self.isBig else {
      if kind == .free { try takeFree(Array(page[node.value]), number) }
      return
    }
    let first = loaded(node.value.lowerBound, UInt64.self)
    try take(first, count: 1)
    var head = [UInt8](repeating: 0, count: pageSize)
    try load(Int(first), into: &head)
    let count = Int(Self.number(head, 12, UInt32.self))
    guard Self.number(head, 0, UInt64.self) == first, Self.number(head, 10, UInt16.self) == 4,
      count >= 1, count * pageSize >= Self.headerBytes + node.value.count
    else { throw damaged("page \(first) is not the value that page \(number) says") }
    try take(first + 1, count: count - 1)
    guard kind == .free else { return }
    var value = [UInt8](repeating: 0, count: node.value.count)
    try load(bytesAt: Int(first) * pageSize + Self.headerBytes, into: &value)
    try takeFree(value, number)
  }

  /// Takes the pages of an entry of the free list: their count, then their numbers.
  private mutating func takeFree(_ list: [UInt8], _ number: UInt64) throws(StoreError) {
    guard list.count >= 8, list.count % 8 == 0,
      Self.number(list, 0, UInt64.self) < UInt64(list.count / 8)
    else { throw damaged("page \(number) has no list of free pages") }
    let count = Int(Self.number(list, 0, UInt64.self))
    for place in 0..<count { try take(Self.number(list, 8 + 8 * place, UInt64.self), count: 1) }
  }

  /// Marks pages that nothing else may have.
  private mutating func take(_ first: UInt64, count: Int) throws(StoreError) {
    guard first < UInt64(pageCount), count <= pageCount - Int(first) else {
      throw damaged("there is no page \(first)")
    }
    for number in Int(first)..<Int(first) + count {
      if taken[number] { throw damaged("page \(number) is in use twice") }
      taken[number] = true
    }
  }

  private func tree(at position: Int) -> Tree {
    Tree(depth: Int(loaded(position + 6, UInt16.self)), root: loaded(position + 40, UInt64.self))
  }

  private func load(_ number: Int, into bytes: inout [UInt8]) throws(StoreError) {
    try load(bytesAt: number * pageSize, into: &bytes)
  }

  private func load(bytesAt offset: Int, into bytes: inout [UInt8]) throws(StoreError) {
    let count = unsafe bytes.withUnsafeMutableBytes {
      unsafe pread(file, $0.baseAddress, $0.count, off_t(offset))
    }
    guard count == bytes.count else { throw damaged("it cannot be read at byte \(offset)") }
  }

  private func loaded<Number: FixedWidthInteger & BitwiseCopyable>(
    _ position: Int, _ type: Number.Type
  ) -> Number { Self.number(page, position, type) }

  private static func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: [UInt8], _ position: Int, _: Number.Type
  ) -> Number { bytes.raw.bigEndian(Number.self, at: position).bigEndian }
}

extension Environment {
  /// Looks at every page of the last commit, or at those that some of its tables are read by.
  ///
  /// - Throws: ``StoreError``: `corrupted` for a file that LMDB must not copy, `cancelled`.
  package func checkPages(
    _ cancellation: CopyCancellation, of tables: [String]? = nil
  ) throws(StoreError) {
    while true {
      let read = try ReadTransaction(self)
      var check = PageCheck(file, pageSize: pageSize, directory: directory) {
        cancellation.isEnded
      }
      // Two commits later its meta page is another's.
      if try check.run(transaction: read.number, tables: tables) { return }
    }
  }
}
