import StateStore
import StreamCore

/// Keys whose lines and waiting records are to be gone through, before the next record is taken: of
/// all sources of the task, for each may make the row that a record of another waits for.
///
/// Each step is a unit, and an interval may end among them; what is left is then noted in the state,
/// so that a start goes on where the last commit stood.
struct KeptCascade {
  /// A key, and which of its waiting records have still to be asked whether what they wait for is
  /// there.
  struct Item: Hashable {
    let key: [UInt8]
    /// By input: from where on those that wait for rows; `nil` where all of them were.
    var rows: [EntryPlace?]
    /// By input: whether the first of those that wait for their numbers.
    var numbers: [Bool]

    fileprivate init(_ key: [UInt8], inputs: Int) {
      self.key = key
      rows = Array(repeating: nil, count: inputs)
      numbers = Array(repeating: false, count: inputs)
    }
  }

  private let inputs: Int
  private var items: [[UInt8]: Item] = [:]
  /// In order of their turns; those before `head` are done.
  private var keys: [[UInt8]] = []
  private var head = 0

  init(inputs: Int, _ items: [Item] = []) {
    self.inputs = inputs
    for item in items {
      add(item.key, rows: true, numbers: true)
      // The inputs may have become others.
      if item.rows.count == inputs { self.items[item.key] = item }
    }
  }

  var isEmpty: Bool { items.isEmpty }

  /// All that is left, in order.
  var left: [Item] { keys[head...].compactMap { items[$0] } }

  var first: Item? {
    get { head < keys.count ? items[keys[head]] : nil }
    set { if let newValue { items[newValue.key] = newValue } }
  }

  /// A key is to be gone through.
  ///
  /// - Parameters:
  ///   - rows: a row of it was created, or its bar fell.
  ///   - numbers: a number of it may have come, or its bar fell.
  mutating func add(_ key: [UInt8], rows: Bool, numbers: Bool) {
    if items[key] == nil {
      items[key] = Item(key, inputs: inputs)
      keys.append(key)
    }
    for input in 0..<inputs {
      if rows { items[key]?.rows[input] = .first }
      if numbers { items[key]?.numbers[input] = true }
    }
  }

  /// The first key is done.
  mutating func finish() {
    items[keys[head]] = nil
    head += 1
    if head == keys.count { (keys, head) = ([], 0) }
  }
}

extension KeptCascade.Item {
  func encoded() -> [UInt8] {
    var writer = EntryWriter()
    writer.append(key)
    writer.append(Int64(rows.count))
    for (place, number) in zip(rows, numbers) {
      writer.append((place == nil ? 0 : 1) + (number ? 2 : 0))
      writer.append(place?.rank ?? 0)
      writer.append(place?.number ?? 0)
    }
    return writer.bytes
  }

  init(encoded bytes: [UInt8]) throws {
    var reader = EntryReader(bytes)
    key = try reader.part() ?? []
    (rows, numbers) = ([], [])
    for _ in 0..<(try reader.number()) {
      let flags = try reader.number()
      let place = EntryPlace(rank: try reader.number(), number: try reader.number())
      rows.append(flags & 1 == 0 ? nil : place)
      numbers.append(flags & 2 != 0)
    }
  }
}
