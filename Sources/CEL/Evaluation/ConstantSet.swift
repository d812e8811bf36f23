/// A text of ASCII in an expression, which others are compared with.
struct ConstantText: Sendable {
  private let text: String
  private let count: Int

  /// `nil` where `text` is not all ASCII.
  init?(_ text: String) {
    guard text.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
    self.text = text
    count = text.utf8.count
  }

  /// Swift's `==` normalizes, but no other text as long as one of ASCII is equivalent to it: whatever
  /// decomposes to a character of ASCII takes more bytes than it.
  @inline(__always)
  func isSame(as other: String) -> Bool { other.utf8.count == count && other == text }
}

/// The elements of a constant list, to be searched.
enum ConstantSet: Sendable {
  case fewTexts([ConstantText])
  case keys(Set<MapKey>)

  private static let fewMax = 6

  /// `nil` where an element may equal a value that is no key of a map.
  init?(_ list: ListValue) {
    let elements = list.elements
    let texts = elements.compactMap { element in
      if case .string(let text) = element { ConstantText(text) } else { nil }
    }
    if texts.count == elements.count, texts.count <= Self.fewMax {
      self = .fewTexts(texts)
      return
    }
    var keys: Set<MapKey> = []
    for element in elements {
      switch element {
      case .bool, .int, .uint, .string: break
      default: return nil
      }
      guard let key = MapKey(element), key.isExact else { return nil }
      keys.insert(key)
    }
    self = .keys(keys)
  }

  @inline(__always)
  func contains(_ value: Value) -> Bool {
    switch self {
    case .fewTexts(let texts):
      guard case .string(let text) = value else { return false }
      for candidate in texts where candidate.isSame(as: text) { return true }
      return false
    case .keys(let keys): return MapKey(value).map(keys.contains) ?? false
    }
  }
}
