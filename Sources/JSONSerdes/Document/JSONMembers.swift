public import StreamCore

extension JSONView {
  /// The members of an object in the order of the text; a name may come twice, and the last one
  /// counts.
  ///
  ///     for member in try json.members() {
  ///       switch member.name {
  ///       case "orderId": orderID = try member.value.string()
  ///       case "total": total = try member.value.decimal()
  ///       default: break
  ///       }
  ///     }
  ///
  /// - Throws: ``SerdeError`` where this is no object.
  @inlinable
  public func members() throws -> JSONMembers {
    check()
    guard unsafe state.pointee.byte(Int(index)) == 0x7B else { throw mismatch("an object") }
    return unsafe JSONMembers(object: self, end: Int(state.pointee.ends[Int(index)]))
  }

  /// The elements of an array.
  ///
  /// - Throws: ``SerdeError`` where this is no array.
  @inlinable
  public func elements() throws -> JSONElements {
    check()
    guard unsafe state.pointee.byte(Int(index)) == 0x5B else { throw mismatch("an array") }
    return unsafe JSONElements(array: self, end: Int(state.pointee.ends[Int(index)]))
  }

  /// The last member of that name; `nil` where there is none, or this is no object.
  @inlinable
  public subscript(name: StaticString) -> JSONView? {
    guard kind == .object, let members = JSONMembers(self) else { return nil }
    var found: JSONView?
    for member in members where name ~= member.name { found = member.value }
    return found
  }

  /// As the subscript by a literal, for a name known only at run time.
  public subscript(dynamic name: String) -> JSONView? {
    guard let members = JSONMembers(self) else { return nil }
    var name = name
    return name.withUTF8 { bytes in
      var found: JSONView?
      for member in members where unsafe member.name.equals(bytes) { found = member.value }
      return found
    }
  }

  /// The member of that name.
  ///
  /// - Throws: ``SerdeError`` where this is no object or has no such member.
  @inlinable
  public func field(_ name: StaticString) throws -> JSONView {
    guard let value = self[name] else {
      guard kind == .object else { throw mismatch("an object") }
      throw missing("\(name)")
    }
    return value
  }

  /// A value found among the members of this object.
  ///
  /// - Throws: ``SerdeError`` where it was not found.
  @inlinable
  public func required<Value>(_ value: Value?, _ name: StaticString) throws -> Value {
    guard let value else { throw missing("\(name)") }
    return value
  }
}

/// A member of an object.
public struct JSONMember {
  public let name: JSONName
  public let value: JSONView

  @inlinable
  init(name: JSONName, value: JSONView) {
    self.name = name
    self.value = value
  }
}

/// A member's name in the text, for a `switch` over literals.
@safe public struct JSONName {
  @usableFromInline let state: UnsafeMutablePointer<ParseState>
  @usableFromInline let start: UnsafePointer<UInt8>
  @usableFromInline let count: Int
  @usableFromInline let generation: UInt32

  @inlinable @inline(__always)
  init(_ object: JSONView, index: Int) {
    unsafe state = object.state
    let bytes = unsafe object.state.pointee.stringBytes(index)
    unsafe start = bytes.baseAddress.unsafelyUnwrapped
    count = bytes.count
    generation = object.generation
  }

  @inlinable @inline(__always)
  var bytes: UnsafeBufferPointer<UInt8> {
    precondition(
      unsafe state.pointee.generation == generation, "a JSON name used after its parse")
    return unsafe UnsafeBufferPointer(start: start, count: count)
  }

  /// The name with its escapes resolved.
  public var string: String {
    let bytes = unsafe bytes
    if unsafe state.pointee.isEscaped(bytes) { return unsafe EscapedText.string(bytes) }
    return unsafe String(decoding: bytes, as: UTF8.self)
  }

  @inlinable @inline(__always)
  public static func ~= (pattern: StaticString, name: JSONName) -> Bool {
    let literal = unsafe UnsafeBufferPointer(
      start: pattern.utf8Start, count: pattern.utf8CodeUnitCount)
    return unsafe name.equals(literal)
  }

  @inlinable @inline(__always)
  func equals(_ other: UnsafeBufferPointer<UInt8>) -> Bool {
    let bytes = unsafe bytes
    if bytes.count == other.count, unsafe Self.equal(bytes, other) { return true }
    return unsafe state.pointee.hasEscapes && equalsEscaped(other)
  }

  @inlinable @inline(__always)
  static func equal(
    _ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    let (left, right) = (UnsafeRawBufferPointer(left), UnsafeRawBufferPointer(right))
    let count = left.count
    @inline(__always) func differ<Word: FixedWidthInteger & BitwiseCopyable>(
      _ type: Word.Type, _ position: Int
    ) -> Bool {
      unsafe left.loadUnaligned(fromByteOffset: position, as: type)
        != right.loadUnaligned(fromByteOffset: position, as: type)
    }
    // The last word overlaps the one before, so that no byte is left over.
    if count >= 8 {
      var position = 0
      while position < count - 8 {
        if differ(UInt64.self, position) { return false }
        position += 8
      }
      return !differ(UInt64.self, count - 8)
    }
    if count >= 4 { return !differ(UInt32.self, 0) && !differ(UInt32.self, count - 4) }
    for position in 0..<count where differ(UInt8.self, position) { return false }
    return true
  }

  @usableFromInline @inline(never)
  func equalsEscaped(_ other: UnsafeBufferPointer<UInt8>) -> Bool {
    let bytes = unsafe bytes
    guard unsafe bytes.contains(0x5C) else { return false }
    return unsafe EscapedText.bytes(bytes).elementsEqual(other)
  }
}

/// Members of an object.
public struct JSONMembers: Sequence, IteratorProtocol {
  @usableFromInline let object: JSONView
  @usableFromInline var index: Int
  /// Of the closing brace.
  @usableFromInline let close: Int

  @inlinable
  init(object: JSONView, end: Int) {
    self.object = object
    index = Int(object.index) + 1
    close = end - 1
  }

  /// `nil` where `view` is no object.
  @inlinable
  init?(_ view: JSONView) {
    guard view.kind == .object else { return nil }
    self.init(object: view, end: unsafe Int(view.state.pointee.ends[Int(view.index)]))
  }

  @inlinable @inline(__always)
  public mutating func next() -> JSONMember? {
    object.check()
    guard index < close else { return nil }
    let name = JSONName(object, index: index)
    let value = unsafe JSONView(state: object.state, index: index + 2)
    index = unsafe object.state.pointee.next(index + 2) + 1
    return JSONMember(name: name, value: value)
  }
}

/// Elements of an array.
public struct JSONElements: Sequence, IteratorProtocol {
  @usableFromInline let array: JSONView
  @usableFromInline var index: Int
  /// Of the closing bracket.
  @usableFromInline let close: Int

  @inlinable
  init(array: JSONView, end: Int) {
    self.array = array
    index = Int(array.index) + 1
    close = end - 1
  }

  var isAtEnd: Bool { index >= close }

  @inlinable @inline(__always)
  public mutating func next() -> JSONView? {
    array.check()
    guard index < close else { return nil }
    let value = unsafe JSONView(state: array.state, index: index)
    index = unsafe array.state.pointee.next(index) + 1
    return value
  }
}
