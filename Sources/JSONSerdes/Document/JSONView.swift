public import StreamCore

/// A value of a JSON text, as its place in the parse: 16 bytes, nothing decoded.
///
/// It is valid inside the closure that its root was lent to; using it later is a precondition
/// failure. What it is asked for is checked and decoded then, with the field's path in the error.
@safe public struct JSONView {
  @usableFromInline let state: UnsafeMutablePointer<ParseState>
  @usableFromInline let index: UInt32
  @usableFromInline let generation: UInt32

  @inlinable
  init(state: UnsafeMutablePointer<ParseState>, index: Int) {
    unsafe self.state = state
    self.index = UInt32(truncatingIfNeeded: index)
    generation = unsafe state.pointee.generation
  }

  @inlinable @inline(__always)
  func check() {
    precondition(
      unsafe state.pointee.generation == generation, "a JSON view used after its parse")
  }

  public var kind: FieldSlot.Kind {
    @inlinable @inline(__always)
    get {
      check()
      return Self.kind(unsafe state.pointee.byte(Int(index)))
    }
  }

  @inlinable @inline(__always)
  static func kind(_ first: UInt8) -> FieldSlot.Kind {
    switch first {
    case 0x22: .string
    case 0x7B: .object
    case 0x5B: .array
    case 0x74, 0x66: .bool
    case 0x6E: .null
    default: .number
    }
  }

  @inlinable public var isNull: Bool { kind == .null }

  /// The value, or `nil` for null: `try view.nonNull?.string()`.
  @inlinable public var nonNull: JSONView? { isNull ? nil : self }

  /// The value as a slot: where it lies in the text.
  @inlinable
  public var slot: FieldSlot {
    check()
    return unsafe state.pointee.slot(Int(index))
  }

  /// Lends the value's bytes as they stand in the text, a string's with its quotes.
  @inlinable
  public func withBytes<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
    check()
    let text = unsafe state.pointee.text(Int(index))
    // SAFETY: the text is there as long as this generation, which `body` cannot end.
    return try body(unsafe text.bytes)
  }

  /// The value's JSON as it stands in the text.
  public var json: [UInt8] {
    withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
  }

  // MARK: Errors

  /// An error at this value, with its path.
  public func error(_ reason: String) -> SerdeError { SerdeError(reason, path: path) }

  /// The error of an object that lacks a member.
  @inline(never)
  public func missing(_ name: String) -> SerdeError {
    let path = path
    return SerdeError("missing", path: path.isEmpty ? name : "\(path).\(name)")
  }

  @usableFromInline @inline(never)
  func mismatch(_ expected: String) -> SerdeError {
    error("expected \(expected), found \(kind == .null ? "null" : "\(Self.article(kind))")")
  }

  private static func article(_ kind: FieldSlot.Kind) -> String {
    switch kind {
    case .absent: "nothing"
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .object: "an object"
    case .array: "an array"
    }
  }

  /// From the root down, as `payload.items[2].quantity`; found when asked, at the price of a
  /// walk over what lies before.
  public var path: String {
    check()
    var path = ""
    for step in unsafe state.pointee.steps(to: Int(index)) {
      switch step {
      case .member(let name): path += path.isEmpty ? name : ".\(name)"
      case .element(let position): path += "[\(position)]"
      }
    }
    return path
  }

  enum Step {
    case member(String)
    case element(Int)
  }
}

extension ParseState {
  /// The first byte of the token at a structural index.
  @inlinable @inline(__always)
  func byte(_ index: Int) -> UInt8 { unsafe source[Int(indexes[index])] }

  /// The structural index behind the value at `index`.
  @inlinable @inline(__always)
  func next(_ index: Int) -> Int {
    // `{` and `[`, and no other first byte of a value, are 0x5B but for bit 5.
    unsafe byte(index) & 0xDF == 0x5B ? Int(ends[index]) : index + 1
  }

  /// Where the token before structural index `index` ends: only white space is between.
  @inlinable @inline(__always)
  func tokenEnd(before index: Int) -> Int {
    var end = unsafe Int(indexes[index])
    while true {
      let byte = unsafe source[end - 1]
      guard byte <= 0x20 else { return end }
      end -= 1
    }
  }

  /// A value's whole text.
  @inlinable @inline(__always)
  func text(_ index: Int) -> UnsafeRawBufferPointer {
    let start = unsafe Int(indexes[index])
    let end = tokenEnd(before: next(index))
    return unsafe UnsafeRawBufferPointer(start: source + start, count: end - start)
  }

  /// A string's bytes without its quotes.
  @inlinable @inline(__always)
  func stringBytes(_ index: Int) -> UnsafeBufferPointer<UInt8> {
    let start = unsafe Int(indexes[index]) + 1
    let end = tokenEnd(before: index + 1) - 1
    return unsafe UnsafeBufferPointer(start: source + start, count: end - start)
  }

  @inlinable @inline(__always)
  func isEscaped(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    unsafe hasEscapes && bytes.contains(0x5C)
  }

  @inlinable
  func string(_ index: Int) -> String {
    let bytes = unsafe stringBytes(index)
    if unsafe isEscaped(bytes) { return unsafe EscapedText.string(bytes) }
    return unsafe String(decoding: bytes, as: UTF8.self)
  }

  @inlinable
  func slot(_ index: Int) -> FieldSlot {
    let kind = JSONView.kind(byte(index))
    let start = unsafe Int(indexes[index])
    if kind == .string {
      let bytes = unsafe stringBytes(index)
      return unsafe FieldSlot(
        kind: .string, range: start + 1..<start + 1 + bytes.count, hasEscapes: isEscaped(bytes))
    }
    return FieldSlot(kind: kind, range: start..<tokenEnd(before: next(index)))
  }

  /// The way from the root to the value at `target`.
  func steps(to target: Int) -> [JSONView.Step] {
    var steps: [JSONView.Step] = []
    var container = 0
    descent: while container != target {
      let isObject = byte(container) == 0x7B
      guard byte(container) & 0xDF == 0x5B else { return steps }
      var child = container + 1
      var position = 0
      while unsafe child < Int(ends[container]) - 1 {
        let value = isObject ? child + 2 : child
        let end = next(value)
        if target < end {
          steps.append(isObject ? .member(string(child)) : .element(position))
          guard target >= value else { return steps }
          container = value
          continue descent
        }
        child = end + 1
        position += 1
      }
      return steps
    }
    return steps
  }
}
