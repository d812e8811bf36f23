/// Which keys a task's directory may hold: a Bloom filter whose bits for one key lie in 32 bytes
/// (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters"; the split block of
/// Apache Parquet's specification).
///
/// Most keys that an interval meets for the first time are new, and the tree says no to each of
/// them after a walk through pages that are seldom at hand; this says no with one look, and is
/// wrong about a hundredth of the keys it has not seen.
///
/// A full layer is followed by a larger one, so no key is ever read again to make room: a process
/// has thousands of tasks, so it begins small, with 2 kB, and grows by four until it is of a size to
/// double. Beyond ``bytesMax`` the filter is given up.
struct KeyFilter: ~Copyable {
  /// Bits of one key in a block, one in each of its words.
  private typealias Block = SIMD8<UInt32>

  private struct Layer {
    var blocks: [Block]
    /// Keys that fit: at 12 bits a key one look in about 150 is wrong.
    let capacity: Int
    var count = 0

    init(blocks count: Int) {
      blocks = [Block](repeating: Block(repeating: 0), count: count)
      capacity = count * 256 / 12
    }
  }

  static let bytesMax = 4 << 20
  private static let firstBlocks = 64
  private static let blocksToDouble = 2_048
  private static let salts = Block(
    0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947,
    0x5c6b_fb31)

  /// None before the first key: a task that has none, and a clustered store, take no memory.
  private var layers: [Layer] = []
  /// Whether it was given up: every key may then be there.
  private(set) var isFull = false

  var memoryBytes: Int { layers.reduce(0) { $0 + $1.blocks.count * 32 } }

  @inline(__always)
  private static func bits(_ hash: UInt64) -> Block {
    let product = Block(repeating: UInt32(truncatingIfNeeded: hash)) &* salts
    return Block(repeating: 1) &<< (product &>> 27)
  }

  @inline(__always)
  private static func place(_ hash: UInt64, _ count: Int) -> Int {
    Int(truncatingIfNeeded: ((hash >> 32) &* UInt64(truncatingIfNeeded: count)) >> 32)
  }

  /// Whether a key of this hash may have been inserted.
  func mayContain(_ hash: UInt64) -> Bool {
    if isFull { return true }
    let bits = Self.bits(hash)
    for layer in layers.indices {
      let count = layers[layer].blocks.count
      let block = layers[layer].blocks[Self.place(hash, count)]
      if block & bits == bits { return true }
    }
    return false
  }

  private var nextBlocks: Int {
    guard let last = layers.last?.blocks.count else { return Self.firstBlocks }
    if last >= Self.blocksToDouble { return last * 2 }
    return min(last * 4, Self.blocksToDouble)
  }

  mutating func insert(_ hash: UInt64) {
    if isFull { return }
    if layers.last.map({ $0.count == $0.capacity }) ?? true {
      let blocks = nextBlocks
      if memoryBytes + blocks * 32 > Self.bytesMax {
        isFull = true
        layers = []
        return
      }
      layers.append(Layer(blocks: blocks))
    }
    let last = layers.count - 1
    layers[last].blocks[Self.place(hash, layers[last].blocks.count)] |= Self.bits(hash)
    layers[last].count += 1
  }
}
