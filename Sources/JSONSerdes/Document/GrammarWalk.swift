import StreamCore

/// One pass over the structural indexes that checks RFC 8259's grammar where stage 1 does not.
///
/// Stage 1 has seen that strings end, that they hold no control characters, and that all is
/// UTF-8. Each byte that is neither white space nor inside a string belongs to a token whose
/// first byte is in the indexes; so behind a token there is only white space up to the next
/// index, unless the token itself has bytes that do not belong to it.
@safe struct GrammarWalk {
  let source: UnsafePointer<UInt8>
  let length: Int
  let indexes: UnsafePointer<UInt32>
  let count: Int
  /// Filled here: for each opening bracket's index, the index behind its closing one.
  let ends: UnsafeMutablePointer<UInt32>
  /// Room for the open containers.
  let stack: UnsafeMutablePointer<UInt32>
  let hasEscapes: Bool

  /// - Returns: `nil` for a JSON text.
  func firstProblem() -> SerdeError? {
    var index = 0
    var depth = 0
    var inObject = false
    if byte(0) == 0xEF { return problem("a byte order mark", 0) }

    values: while true {
      // A value begins here.
      switch byte(index) {
      case 0x22:
        if hasEscapes, let problem = escapeProblem(index) { return problem }
        index += 1
      case 0x7B:
        guard depth < JSONParser.depthMax else { return tooDeep(index) }
        guard byte(index + 1) == 0x7D else {
          unsafe stack[depth] = UInt32(truncatingIfNeeded: index)
          depth += 1
          inObject = true
          if let problem = nameProblem(index + 1) { return problem }
          index += 3
          continue values
        }
        unsafe ends[index] = UInt32(truncatingIfNeeded: index + 2)
        index += 2
      case 0x5B:
        guard depth < JSONParser.depthMax else { return tooDeep(index) }
        guard byte(index + 1) == 0x5D else {
          unsafe stack[depth] = UInt32(truncatingIfNeeded: index)
          depth += 1
          inObject = false
          index += 1
          continue values
        }
        unsafe ends[index] = UInt32(truncatingIfNeeded: index + 2)
        index += 2
      case 0x2D, 0x30...0x39:
        if !isNumber(index) { return problem("a malformed number", index) }
        index += 1
      case 0x74:
        if !isLiteral(index, 0x6575_7274) { return problem("not the word true", index) }
        index += 1
      case 0x66:
        // `alse` behind the `f`.
        if !isLiteral(index, 0x6573_6C61, from: 1) { return problem("not the word false", index) }
        index += 1
      case 0x6E:
        if !isLiteral(index, 0x6C6C_756E) { return problem("not the word null", index) }
        index += 1
      default:
        return problem("no value where one belongs", index)
      }

      // A value has ended before this index.
      while depth > 0 {
        let next = byte(index)
        if next == 0x2C {
          index += 1
          if inObject {
            if let problem = nameProblem(index) { return problem }
            index += 2
          }
          continue values
        }
        guard next == (inObject ? 0x7D : 0x5D) else {
          return problem(
            inObject
              ? "neither comma nor brace after a value" : "neither comma nor bracket after a value",
            index)
        }
        depth -= 1
        index += 1
        unsafe ends[Int(stack[depth])] = UInt32(truncatingIfNeeded: index)
        if depth > 0 { inObject = unsafe source[Int(indexes[Int(stack[depth - 1])])] == 0x7B }
      }
      return index == count ? nil : problem("something after the end", index)
    }
  }

  /// The byte at a structural index; 0, which no token begins with, behind the last.
  @inline(__always)
  private func byte(_ index: Int) -> UInt8 {
    unsafe index < count ? source[Int(indexes[index])] : 0
  }

  /// A member's name and its colon.
  @inline(__always)
  private func nameProblem(_ index: Int) -> SerdeError? {
    guard byte(index) == 0x22 else { return problem("no name where one belongs", index) }
    guard byte(index + 1) == 0x3A else { return problem("no colon after a name", index + 1) }
    return hasEscapes ? escapeProblem(index) : nil
  }

  @inline(__always)
  private func isWhitespace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
  }

  @inline(__always)
  private func isNumber(_ index: Int) -> Bool {
    var position = unsafe Int(indexes[index])
    let end = unsafe Int(indexes[index + 1])
    func digit() -> Bool { unsafe position < end && source[position] &- 0x30 <= 9 }

    if unsafe source[position] == 0x2D {
      position += 1
      guard digit() else { return false }
    }
    if unsafe source[position] == 0x30 {
      position += 1
    } else {
      while digit() { position += 1 }
    }
    if unsafe position < end && source[position] == 0x2E {
      position += 1
      guard digit() else { return false }
      while digit() { position += 1 }
    }
    if unsafe position < end && source[position] | 0x20 == 0x65 {
      position += 1
      if unsafe position < end && (source[position] == 0x2B || source[position] == 0x2D) {
        position += 1
      }
      guard digit() else { return false }
      while digit() { position += 1 }
    }
    return unsafe position == end || isWhitespace(source[position])
  }

  /// Whether the four bytes `from` behind the index are `word`, and a token ends behind them.
  @inline(__always)
  private func isLiteral(_ index: Int, _ word: UInt32, from: Int = 0) -> Bool {
    let start = unsafe Int(indexes[index]) + from
    let end = unsafe Int(indexes[index + 1])
    guard start + 4 <= end else { return false }
    let bytes = unsafe UnsafeRawPointer(source).loadUnaligned(
      fromByteOffset: start, as: UInt32.self)
    guard UInt32(littleEndian: bytes) == word else { return false }
    return unsafe start + 4 == end || isWhitespace(source[start + 4])
  }

  /// Escapes of the string at `index`: only the known ones, surrogates only in pairs.
  private func escapeProblem(_ index: Int) -> SerdeError? {
    let start = unsafe Int(indexes[index]) + 1
    var position = start
    // The string's own quote comes before the next token.
    while unsafe source[position] != 0x22 {
      guard unsafe source[position] == 0x5C else {
        position += 1
        continue
      }
      switch unsafe source[position + 1] {
      case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74:
        position += 2
      case 0x75:
        guard let unit = hex(position + 2) else { return problem("a malformed escape", index) }
        position += 6
        guard unit & 0xF800 == 0xD800 else { break }
        guard unit < 0xDC00, position + 6 <= length, unsafe source[position] == 0x5C,
          unsafe source[position + 1] == 0x75, let low = hex(position + 2), low & 0xFC00 == 0xDC00
        else { return problem("half a surrogate pair", index) }
        position += 6
      default:
        return problem("an unknown escape", index)
      }
    }
    return nil
  }

  private func hex(_ position: Int) -> UInt32? {
    guard position + 4 <= length else { return nil }
    return unsafe EscapedText.hex(source + position)
  }

  private func tooDeep(_ index: Int) -> SerdeError {
    problem("more than \(JSONParser.depthMax) levels", index)
  }

  @inline(never)
  private func problem(_ what: String, _ index: Int) -> SerdeError {
    let offset = unsafe index < count ? Int(indexes[index]) : length
    return SerdeError("not JSON: \(what), at byte \(offset)")
  }
}
