/// Mutable state of an object, behind a pointer of the object's own.
///
/// The runtime checks each access to a class's stored property for overlap with another one, and
/// on the path of every record such checks cost more than the accesses. What lies here is not
/// checked; its owner keeps the rule instead: one thread at a time uses it, and no access to a part
/// of it is under way while code runs that could reach the same part again.
@usableFromInline
@safe
struct OwnedState<Value: ~Copyable>: ~Copyable {
  @usableFromInline let pointer: UnsafeMutablePointer<Value>

  @inlinable
  init(_ value: consuming Value) {
    unsafe pointer = .allocate(capacity: 1)
    unsafe pointer.initialize(to: consume value)
  }

  @inlinable
  deinit {
    unsafe pointer.deinitialize(count: 1)
    unsafe pointer.deallocate()
  }

  @inlinable
  var value: Value {
    @inline(__always)
    _read { yield unsafe pointer.pointee }
    @inline(__always)
    nonmutating _modify { yield unsafe &pointer.pointee }
  }
}

/// What a unit notes to take it back: cleared once a unit, so clearing keeps the elements and
/// costs a store.
@usableFromInline
struct UnitLog<Element: BitwiseCopyable>: ~Copyable {
  private var elements: [Element] = []
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  subscript(position: Int) -> Element {
    precondition(position < count, "beyond a unit's log")
    return elements[position]
  }

  mutating func append(_ element: Element) {
    if count < elements.count { elements[count] = element } else { elements.append(element) }
    count += 1
  }

  mutating func clear() { count = 0 }
}

extension Array {
  /// Forgets what an interval gathered. An array keeps its memory for the next interval; a very
  /// large one gives it back, and one that this interval used little of, for what one task keeps no
  /// other task's interval can use.
  @inlinable
  mutating func empty() {
    let bytes = capacity * MemoryLayout<Element>.stride
    if bytes > 16 << 20 || (bytes > 4 << 10 && count < capacity / 8) {
      self = []
    } else {
      removeAll(keepingCapacity: true)
    }
  }
}
