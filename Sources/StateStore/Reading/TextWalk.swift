/// An entry of a tree with the bytes that order it among answers.
struct OrderedEntry {
  let order: [UInt8]
  let entry: TreeEntry
}

/// Walks a tree in the order of its keys' texts, a page at a time.
///
/// A tree has the UUIDs of a group (the keys that share all components but the last) behind the
/// group's other keys; each group is the two put together.
struct TextWalk {
  let transaction: Transaction
  let table: Table
  /// Components before the one that may be a UUID; `nil` where none may.
  let leading: Int?
  var reverse = false
  var head = 0
  var keysOnly = false

  /// - Parameter keyTypes: of the tree's keys; only a last text can be a UUID.
  static func leading(_ keyTypes: [KeyType]) -> Int? {
    keyTypes.last == .string ? keyTypes.count - 1 : nil
  }

  /// The entries whose orders lie in `from ..< to`, at most about `limit` of them, and whether
  /// there are no more.
  func page(
    from: [UInt8]?, to: [UInt8]?, limit: Int
  ) throws(StoreError) -> (entries: [OrderedEntry], isEnd: Bool) {
    guard let leading else {
      let (entries, isEnd) = try plain(from, to, limit)
      return (entries.map { OrderedEntry(order: $0.key, entry: $0) }, isEnd)
    }
    if leading == 0 { return try group([], from, to, limit, leading) }
    // As stored, a group lies on both sides of a bound inside of it: such a group comes alone.
    let near = group(of: reverse ? to : from, leading)
    let far = group(of: reverse ? from : to, leading)
    var found: [OrderedEntry] = []
    if let near {
      let (entries, isEnd) = try group(near, from, to, limit, leading)
      found = entries
      if !isEnd || near == far { return (found, isEnd) }
    }
    var first = reverse ? far.map(TextOrder.end(ofGroup:)) ?? from : from
    var last = reverse ? to : far ?? to
    func pass(_ group: [UInt8]) {
      if reverse { last = group } else { first = TextOrder.end(ofGroup: group) }
    }
    if let near { pass(near) }
    while found.count < limit {
      let (entries, isEnd) = try plain(first, last, max(16, limit - found.count))
      guard let one = entries.first, let end = entries.last else { break }
      // Groups that end in this page are whole; the last one may go on behind it.
      let cut = isEnd ? nil : try group(of: end, leading)
      let whole = entries.prefix { entry in cut.map { !Self.isIn(entry.key, $0) } ?? true }
      found += try sorted(whole, leading)
      if let cut, whole.isEmpty {
        let (entries, isEnd) = try group(group(of: one, leading), from, to, limit, leading)
        found += entries
        if !isEnd { return (found, false) }
        pass(cut)
      } else if let cut {
        if reverse { last = TextOrder.end(ofGroup: cut) } else { first = cut }
      } else {
        break
      }
    }
    guard let far, found.count < limit else { return (found, far == nil && found.count < limit) }
    let (entries, isEnd) = try group(far, from, to, limit - found.count, leading)
    return (found + entries, isEnd)
  }

  private func plain(
    _ from: [UInt8]?, _ to: [UInt8]?, _ limit: Int
  ) throws(StoreError) -> (entries: [TreeEntry], isEnd: Bool) {
    try TreeWalk.page(
      transaction, table, from: from, to: to, reverse: reverse, limit: limit, head: head,
      keysOnly: keysOnly)
  }

  // MARK: Groups

  /// The group inside of which a bound lies; `nil` for one between groups.
  private func group(of bound: [UInt8]?, _ leading: Int) -> [UInt8]? {
    guard let bound, let end = TextOrder.end(ofComponents: leading, of: bound), end < bound.count,
      bound[end] != 0xFF
    else { return nil }
    return [UInt8](bound[..<end])
  }

  private func group(of entry: TreeEntry, _ leading: Int) throws(StoreError) -> [UInt8] {
    guard let end = TextOrder.end(ofComponents: leading, of: entry.key) else {
      throw StoreError(.corrupted, "a key has too few components", store: table.name)
    }
    return [UInt8](entry.key[..<end])
  }

  private static func isIn(_ key: [UInt8], _ group: [UInt8]) -> Bool {
    key.count > group.count && key[group.count] != 0xFF && key.starts(with: group)
  }

  /// Whole groups in their order: a stable sort that finds most of them sorted.
  private func sorted(
    _ entries: ArraySlice<TreeEntry>, _ leading: Int
  ) throws(StoreError) -> [OrderedEntry] {
    var ordered: [OrderedEntry] = []
    ordered.reserveCapacity(entries.count)
    var isSorted = true
    for entry in entries {
      let order = try order(of: entry, leading)
      if let last = ordered.last, comesBefore(order, last.order) { isSorted = false }
      ordered.append(OrderedEntry(order: order, entry: entry))
    }
    if !isSorted { ordered.sort { comesBefore($0.order, $1.order) } }
    return ordered
  }

  private func comesBefore(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    reverse ? precedes(right, left) : precedes(left, right)
  }

  private func order(of entry: TreeEntry, _ leading: Int) throws(StoreError) -> [UInt8] {
    // A UUID's key ends with its tag and 16 bytes; whether those are one, the components say.
    guard entry.key.count >= 17, entry.key[entry.key.count - 17] == KeyTag.uuid else {
      return entry.key
    }
    guard let last = TextOrder.end(ofComponents: leading, of: entry.key) else {
      throw StoreError(.corrupted, "a key has too few components", store: table.name)
    }
    return TextOrder.order(of: entry.key, last: last)
  }

  /// A page of one group: its texts and its UUIDs, put together.
  private func group(
    _ group: [UInt8], _ from: [UInt8]?, _ to: [UInt8]?, _ limit: Int, _ leading: Int
  ) throws(StoreError) -> (entries: [OrderedEntry], isEnd: Bool) {
    let uuids = group + [KeyTag.uuid]
    let texts = try plain(later(group, from), earlier(uuids, to), limit)
    guard let first = uuidBound(group, from, isUpper: false),
      let last = uuidBound(group, to, isUpper: true), precedes(first, last)
    else { return (texts.entries.map { OrderedEntry(order: $0.key, entry: $0) }, texts.isEnd) }
    let others = try plain(first, last, limit)
    var ordered: [OrderedEntry] = []
    var (text, other) = (texts.entries.startIndex, others.entries.startIndex)
    while ordered.count < limit {
      // Behind the end of a page that has more to come nothing is known.
      if text == texts.entries.endIndex, !texts.isEnd { return (ordered, false) }
      if other == others.entries.endIndex, !others.isEnd { return (ordered, false) }
      guard other < others.entries.endIndex else {
        guard text < texts.entries.endIndex else { return (ordered, true) }
        let entry = texts.entries[text]
        ordered.append(OrderedEntry(order: entry.key, entry: entry))
        text += 1
        continue
      }
      let order = try order(of: others.entries[other], leading)
      if text < texts.entries.endIndex, comesBefore(texts.entries[text].key, order) {
        let entry = texts.entries[text]
        ordered.append(OrderedEntry(order: entry.key, entry: entry))
        text += 1
      } else {
        ordered.append(OrderedEntry(order: order, entry: others.entries[other]))
        other += 1
      }
    }
    let isEnd =
      text == texts.entries.endIndex && texts.isEnd && other == others.entries.endIndex
      && others.isEnd
    return (ordered, isEnd)
  }

  /// The bound of the group's UUIDs that stands for a bound of orders; `nil` where none is left.
  private func uuidBound(_ group: [UInt8], _ bound: [UInt8]?, isUpper: Bool) -> [UInt8]? {
    let least = group + [KeyTag.uuid]
    let end = group + [KeyTag.uuid + 1]
    guard let bound, Self.isIn(bound, group) else {
      let isBefore = bound.map { !precedes(group, $0) } ?? !isUpper
      return isBefore ? least : end
    }
    let tag = bound[group.count]
    if tag != KeyTag.string { return tag < KeyTag.string ? least : end }
    let text = bound[(group.count + 1)...]
    guard let uuid = TextOrder.leastUUID(notBefore: text) else { return isUpper ? end : nil }
    let key = least + uuid
    // A bound behind the very text of a UUID leaves it out.
    return precedes(TextOrder.order(of: key, last: group.count), bound) ? key + [0] : key
  }

  private func later(_ left: [UInt8], _ right: [UInt8]?) -> [UInt8] {
    guard let right, precedes(left, right) else { return left }
    return right
  }

  private func earlier(_ left: [UInt8], _ right: [UInt8]?) -> [UInt8] {
    guard let right, precedes(right, left) else { return left }
    return right
  }
}
