import CSimdJSON
import Glibc
import StreamCore
import Synchronization

/// Parses one JSON text after another on one thread, reusing the thread's memory.
///
/// simdjson's stage 1 finds the structure and checks UTF-8; a walk over it checks the rest of the
/// grammar, of what is never asked for too, and notes where each container ends. Nothing is
/// decoded before a ``JSONView`` is asked for it. Deeper than 1,024 levels is refused.
///
/// Where an object has a name twice the last one counts, as for most parsers.
@safe public final class JSONParser {
  /// Where the current text lies; never freed, so that a view can tell that its parse is over.
  @usableFromInline let state: UnsafeMutablePointer<ParseState>
  /// The thread's, for the current text.
  private var stage1: OpaquePointer?

  /// Most levels of objects and arrays within each other.
  public static let depthMax = Int(CSIMDJSON_DEPTH_MAX)

  public init() { unsafe state = ParseState.take() }

  deinit { unsafe ParseState.giveBack(state) }

  /// Parses `bytes` and lends its root to `body`. Neither it nor a view made from it may be used
  /// when `body` has returned: that is a precondition failure.
  ///
  /// - Throws: ``SerdeError`` for bytes that are no JSON text, or what `body` throws.
  @inlinable
  public func withDocument<Result>(
    _ bytes: RawSpan, _ body: (_ root: JSONView) throws -> Result
  ) throws -> Result {
    try unsafe bytes.withUnsafeBytes { bytes in
      // SAFETY: `bytes` is lent for this closure, and `end` puts an end to all views of it.
      try unsafe begin(bytes)
      defer { end() }
      return try body(unsafe JSONView(state: state, index: 0))
    }
  }

  /// Makes `bytes` the current text; they must stay until ``end()``.
  @usableFromInline
  func begin(_ bytes: UnsafeRawBufferPointer) throws(SerdeError) {
    precondition(unsafe !state.pointee.isBusy, "a parser reads one text at a time")
    guard let base = bytes.baseAddress, bytes.count > 0 else {
      throw SerdeError("not JSON: no bytes")
    }
    guard let stage1 = unsafe csimdjson_take() else { throw Self.outOfMemory }
    do throws(SerdeError) {
      try unsafe begin(base.assumingMemoryBound(to: UInt8.self), bytes.count, stage1)
    } catch {
      unsafe csimdjson_give_back(stage1)
      throw error
    }
    unsafe self.stage1 = unsafe stage1
  }

  private func begin(
    _ source: UnsafePointer<UInt8>, _ length: Int, _ stage1: OpaquePointer
  ) throws(SerdeError) {
    var indexes: UnsafePointer<UInt32>?
    let count = unsafe csimdjson_stage1(stage1, source, length, &indexes)
    guard count > 0, let indexes = unsafe indexes else { throw Self.stage1Error(count) }
    guard let ends = unsafe csimdjson_ends(stage1, Int(count)),
      let stack = unsafe csimdjson_stack(stage1)
    else { throw Self.outOfMemory }
    let hasEscapes = unsafe memchr(source, 0x5C, length) != nil
    let walk = unsafe GrammarWalk(
      source: source, length: length, indexes: indexes, count: Int(count), ends: ends,
      stack: stack, hasEscapes: hasEscapes)
    if let problem = walk.firstProblem() { throw problem }
    unsafe state.pointee.begin(
      source: source, indexes: indexes, ends: ends, count: UInt32(count), hasEscapes: hasEscapes)
  }

  @usableFromInline
  func end() {
    unsafe state.pointee.end()
    if let stage1 = unsafe stage1 { unsafe csimdjson_give_back(stage1) }
    unsafe stage1 = nil
  }

  private static var outOfMemory: SerdeError {
    SerdeError("no memory for the structure of the JSON text")
  }

  private static func stage1Error(_ code: Int64) -> SerdeError {
    switch code {
    case 0, Int64(CSIMDJSON_EMPTY): SerdeError("not JSON: only white space")
    case Int64(CSIMDJSON_UTF8): SerdeError("not JSON: not UTF-8")
    case Int64(CSIMDJSON_UNCLOSED_STRING): SerdeError("not JSON: a string without end")
    case Int64(CSIMDJSON_CONTROL_CHARACTER):
      SerdeError("not JSON: a control character in a string")
    case Int64(CSIMDJSON_TOO_LARGE): SerdeError("a JSON text of 4 GiB or more")
    case Int64(CSIMDJSON_MEMORY): outOfMemory
    default: SerdeError("not JSON: simdjson's error \(code)")
    }
  }
}

/// What the views of a parse share.
///
/// Blocks outlive their parser and are reused: ``generation`` rises with each parse, whosever it
/// is, so a view that is used too late finds another one and stops, without counting references.
/// (A view kept for exactly 2^32 parses would not notice.)
@usableFromInline
@safe struct ParseState {
  @usableFromInline var source: UnsafePointer<UInt8>
  /// Offsets of the structural bytes, `count` of them and the length of the text.
  @usableFromInline var indexes: UnsafePointer<UInt32>
  /// For each structural index that opens a container, the one behind its end.
  @usableFromInline var ends: UnsafePointer<UInt32>
  @usableFromInline var count: UInt32
  @usableFromInline var generation: UInt32 = 0
  /// Whether there is any backslash in the text.
  @usableFromInline var hasEscapes = false
  @usableFromInline var isBusy = false

  mutating func begin(
    source: UnsafePointer<UInt8>, indexes: UnsafePointer<UInt32>, ends: UnsafePointer<UInt32>,
    count: UInt32, hasEscapes: Bool
  ) {
    unsafe self.source = source
    unsafe self.indexes = indexes
    unsafe self.ends = ends
    self.count = count
    self.hasEscapes = hasEscapes
    isBusy = true
  }

  mutating func end() {
    generation &+= 1
    isBusy = false
  }

  // SAFETY: an address is in the list only while no parser uses the block behind it.
  private static let free = Mutex<[UInt]>([])

  static func take() -> UnsafeMutablePointer<ParseState> {
    if let address = free.withLock({ $0.popLast() }),
      let block = unsafe UnsafeMutablePointer<ParseState>(bitPattern: address)
    {
      return unsafe block
    }
    let block = UnsafeMutablePointer<ParseState>.allocate(capacity: 1)
    let nothing = unsafe UnsafePointer<UInt32>(bitPattern: 8).unsafelyUnwrapped
    // SAFETY: with `count` 0 and no view of this generation nobody follows these pointers.
    unsafe block.initialize(
      to: ParseState(
        source: UnsafeRawPointer(nothing).assumingMemoryBound(to: UInt8.self), indexes: nothing,
        ends: nothing, count: 0))
    return unsafe block
  }

  static func giveBack(_ block: UnsafeMutablePointer<ParseState>) {
    unsafe block.pointee.end()
    let address = UInt(bitPattern: block)
    free.withLock { $0.append(address) }
  }
}
