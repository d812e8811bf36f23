import StreamCore

extension Value: CustomStringConvertible {
  /// As an expression would write it, where it can: `[1, 'a', 2u]`.
  public var description: String {
    switch self {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .int(let value): return String(value)
    case .uint(let value): return "\(value)u"
    case .double(let value): return value.expressionText
    case .string(let value): return value.quoted
    case .bytes(let value): return value.quotedBytes
    case .list(let list): return "[\(list.map(\.description).joined(separator: ", "))]"
    case .map(let map):
      let entries = map.entries.map { "\($0.key): \($0.value)" }
      return "{\(entries.joined(separator: ", "))}"
    case .timestamp(let instant): return "timestamp('\(instant)')"
    case .duration(let duration): return "duration('\(duration.celText)')"
    case .type(let type): return type.runtimeName
    case .optional(let optional):
      return optional.value.map { "optional.of(\($0))" } ?? "optional.none()"
    case .decimal(let value): return value.decimal.description
    case .object(let object): return object.description
    case .error(let error): return "error: \(error.message)"
    }
  }
}

extension Double {
  /// The shortest text that is read as this number, with a point or exponent: `1.0`, `1e+100`.
  var expressionText: String {
    if isNaN { return "double('NaN')" }
    if isInfinite { return self > 0 ? "double('Infinity')" : "double('-Infinity')" }
    return description
  }
}

extension String {
  /// Between single quotes, with escapes for quotes, backslashes and control characters.
  var quoted: String {
    var text = "'"
    for scalar in unicodeScalars { text.append(escaped: scalar) }
    return text + "'"
  }

  private mutating func append(escaped scalar: Unicode.Scalar) {
    switch scalar {
    case "'": self += "\\'"
    case "\\": self += "\\\\"
    case "\n": self += "\\n"
    case "\r": self += "\\r"
    case "\t": self += "\\t"
    case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value):
      self += "\\x" + hexadecimal(UInt8(scalar.value))
    default: unicodeScalars.append(scalar)
    }
  }
}

extension [UInt8] {
  /// As a bytes literal.
  var quotedBytes: String {
    var text = "b'"
    for byte in self {
      switch byte {
      case 0x27: text += "\\'"
      case 0x5C: text += "\\\\"
      case 0x20..<0x7F: text.unicodeScalars.append(Unicode.Scalar(byte))
      default: text += "\\x" + hexadecimal(byte)
      }
    }
    return text + "'"
  }
}

private func hexadecimal(_ byte: UInt8) -> String {
  let digits = String(byte, radix: 16)
  return digits.count < 2 ? "0" + digits : digits
}
