/// The functions of the strings library. Positions are code points, so a search runs over UTF-8 and
/// counts afterwards.
enum StringFunctions {
  private static func outOfRange(_ function: String, _ position: Int64, _ text: String) -> Value {
    .error(
      .outOfRange,
      "\(function): position \(position) is outside of a text of \(text.unicodeScalars.count) code points"
    )
  }

  /// The index of a code point; `nil` outside of 0 ... length.
  private static func index(_ position: Int64, in text: String) -> String.Index? {
    guard position >= 0, position <= Int64(text.utf8.count) else { return nil }
    let scalars = text.unicodeScalars
    return scalars.index(scalars.startIndex, offsetBy: Int(position), limitedBy: scalars.endIndex)
  }

  private static func position(ofByte offset: Int, in text: String) -> Value {
    let end = text.utf8.index(text.utf8.startIndex, offsetBy: offset)
    return .int(Int64(text.unicodeScalars.distance(from: text.startIndex, to: end)))
  }

  @Sendable static func character(_ text: String, _ position: Int64) -> Value {
    guard let index = index(position, in: text) else { return outOfRange("charAt", position, text) }
    guard index < text.endIndex else { return .string("") }
    return .string(String(text.unicodeScalars[index]))
  }

  static func firstIndex(of part: String, in text: String, from start: Int64) -> Value {
    guard let index = index(start, in: text) else { return outOfRange("indexOf", start, text) }
    let offset = text.utf8.distance(from: text.startIndex, to: index)
    guard let found = ByteSearch(part).first(in: Array(text.utf8), from: offset) else {
      return .int(-1)
    }
    return position(ofByte: found, in: text)
  }

  static func lastIndex(of part: String, in text: String, upTo end: Int64?) -> Value {
    var last = text.utf8.count
    if let end {
      guard let index = index(end, in: text) else { return outOfRange("lastIndexOf", end, text) }
      last = text.utf8.distance(from: text.startIndex, to: index)
    }
    guard let found = ByteSearch(part).last(in: Array(text.utf8), upTo: last) else {
      return .int(-1)
    }
    return position(ofByte: found, in: text)
  }

  static func substring(of text: String, from start: Int64, to end: Int64?) -> Value {
    guard let from = index(start, in: text) else { return outOfRange("substring", start, text) }
    var to = text.endIndex
    if let end {
      guard let index = index(end, in: text) else { return outOfRange("substring", end, text) }
      guard start <= end else {
        return .error(.outOfRange, "substring: the end \(end) lies before the start \(start)")
      }
      to = index
    }
    return .string(String(text.unicodeScalars[from..<to]))
  }

  static func join(_ parts: ListValue, by separator: String, _ budget: inout Budget) -> Value {
    var texts: [String] = []
    var size = 0
    for part in parts {
      guard case .string(let text) = part else {
        if case .error = part { return part }
        return .error(.noSuchOverload, "join: an element of the list is no string but \(part.type)")
      }
      texts.append(text)
      size += text.utf8.count
    }
    size += separator.utf8.count * max(texts.count - 1, 0)
    guard budget.charge(size / 16) else { return .error(Budget.exceeded) }
    return .string(texts.joined(separator: separator))
  }

  static let replaceLimited = Implementation.charging { arguments, budget in
    guard arguments.count == 4, case .string(let text) = arguments[0],
      case .string(let part) = arguments[1], case .string(let replacement) = arguments[2],
      case .int(let limit) = arguments[3]
    else { return .mismatch }
    return replace(part, in: text, by: replacement, limit: limit < 0 ? nil : limit, &budget)
  }

  /// As Go's `strings.Replace`: an empty `part` is found before each code point and at the end.
  static func replace(
    _ part: String, in text: String, by replacement: String, limit: Int64?,
    _ budget: inout Budget
  ) -> Value {
    let bytes = Array(text.utf8)
    let most = limit ?? .max
    var found: [Int] = []
    if part.isEmpty {
      for (offset, byte) in bytes.enumerated() where byte & 0xC0 != 0x80 && found.count < most {
        found.append(offset)
      }
      if found.count < most { found.append(bytes.count) }
    } else {
      let search = ByteSearch(part)
      var start = 0
      while found.count < most, let offset = search.first(in: bytes, from: start) {
        found.append(offset)
        start = offset + search.count
      }
    }
    let growth = found.count.multipliedReportingOverflow(by: replacement.utf8.count)
    guard !growth.overflow, budget.charge(growth.partialValue / 16) else {
      return .error(Budget.exceeded)
    }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + growth.partialValue)
    var start = 0
    for offset in found {
      result += bytes[start..<offset]
      result += replacement.utf8
      start = offset + part.utf8.count
    }
    result += bytes[start...]
    return .string(String(decoding: result, as: UTF8.self))
  }

  /// As Go's `strings.SplitN`: an empty separator splits between code points.
  static func split(_ text: String, by separator: String, limit: Int64?) -> Value {
    let most = limit.map { $0 < 0 ? Int64.max : $0 } ?? .max
    guard most != 0 else { return .list(ListValue.empty) }
    var parts: [Value] = []
    if separator.isEmpty {
      var rest = text.unicodeScalars[...]
      while !rest.isEmpty, parts.count < most - 1 {
        parts.append(.string(String(rest.removeFirst())))
      }
      if !rest.isEmpty { parts.append(.string(String(rest))) }
      return .list(parts)
    }
    let bytes = Array(text.utf8)
    let search = ByteSearch(separator)
    var start = 0
    while parts.count < most - 1, let offset = search.first(in: bytes, from: start) {
      parts.append(.string(String(decoding: bytes[start..<offset], as: UTF8.self)))
      start = offset + search.count
    }
    parts.append(.string(String(decoding: bytes[start...], as: UTF8.self)))
    return .list(parts)
  }

  static func lowerASCII(_ text: String) -> String {
    String(decoding: text.utf8.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }, as: UTF8.self)
  }

  static func upperASCII(_ text: String) -> String {
    String(decoding: text.utf8.map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }, as: UTF8.self)
  }

  static func reverse(_ text: String) -> String {
    var reversed = String.UnicodeScalarView()
    reversed.append(contentsOf: text.unicodeScalars.reversed())
    return String(reversed)
  }

  /// Without Unicode's white space (White_Space=yes) at both ends.
  static func trim(_ text: String) -> String {
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !isSpace($0) }),
      let last = scalars.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(scalars[first...last])
  }

  /// The property does not depend on the version of Unicode that the system has.
  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F,
      0x3000:
      true
    default: false
    }
  }

  /// In double quotes, with what would format a line as escapes.
  static func quote(_ text: String) -> String {
    var quoted = String.UnicodeScalarView()
    quoted.append("\"")
    for scalar in text.unicodeScalars {
      let escape: Unicode.Scalar? =
        switch scalar.value {
        case 7: "a"
        case 8: "b"
        case 9: "t"
        case 10: "n"
        case 11: "v"
        case 12: "f"
        case 13: "r"
        case 0x22: "\""
        case 0x5C: "\\"
        default: nil
        }
      if let escape {
        quoted.append("\\")
        quoted.append(escape)
      } else {
        quoted.append(scalar)
      }
    }
    quoted.append("\"")
    return String(quoted)
  }
}
