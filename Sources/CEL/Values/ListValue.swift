/// A list whose elements a host gives on demand, such as an array inside a parsed document.
public protocol LazyList: AnyObject, Sendable {
  var count: Int { get }
  /// The element at `index`, which is within `0 ..< count`.
  func element(at index: Int) -> Value
}

/// An immutable list: stored elements, or those of a ``LazyList``.
public struct ListValue: Sendable {
  enum Storage: Sendable {
    case array([Value])
    case lazy(any LazyList)
  }
  let storage: Storage

  public static let empty = ListValue([])

  public init(_ elements: [Value]) { storage = .array(elements) }
  public init(_ list: any LazyList) { storage = .lazy(list) }

  /// All elements; of a lazy list each is asked for once.
  public var elements: [Value] {
    switch storage {
    case .array(let elements): elements
    case .lazy(let list): (0..<list.count).map(list.element(at:))
    }
  }
}

extension ListValue: RandomAccessCollection {
  public var startIndex: Int { 0 }
  public var endIndex: Int {
    switch storage {
    case .array(let elements): elements.count
    case .lazy(let list): list.count
    }
  }
  public subscript(index: Int) -> Value {
    switch storage {
    case .array(let elements): elements[index]
    case .lazy(let list): list.element(at: index)
    }
  }
}
