import StreamCore

/// Conversions between types (cel-spec, "Types and Conversions").
enum Conversions {
  private static let a = CELType.parameter("A")

  static let functions: [Function] = [
    Function("dyn", .global([a], .dyn, cost: .constant) { $0 }),
    Function("type", .global([a], .type(a), cost: .constant) { .type($0.type) }),
    Function(
      "bool", identity(.bool),
      .global([.string], .bool) { text in
        guard case .string(let text) = text else { return .mismatch }
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: return malformed(text, "bool")
        }
      }),
    Function(
      "int", identity(.int),
      .global([.uint], .int, cost: .constant) { number in
        guard case .uint(let number) = number else { return .mismatch }
        return Int64(exactly: number).map(Value.int) ?? range("\(number)", "int")
      },
      .global([.double], .int, cost: .constant) { number in
        guard case .double(let number) = number else { return .mismatch }
        // Neither bound is included, so that the way back never overflows.
        guard number > -0x1p63, number < 0x1p63 else { return range(text(number), "int") }
        return .int(Int64(number))
      },
      .global([.string], .int) { text in
        guard case .string(let text) = text else { return .mismatch }
        return Int64(text).map(Value.int) ?? malformed(text, "int")
      },
      .global([.timestamp], .int, cost: .constant) { instant in
        guard case .timestamp(let instant) = instant else { return .mismatch }
        return .int(instant.seconds)
      }),
    Function(
      "uint", identity(.uint),
      .global([.int], .uint, cost: .constant) { number in
        guard case .int(let number) = number else { return .mismatch }
        return UInt64(exactly: number).map(Value.uint) ?? range("\(number)", "uint")
      },
      .global([.double], .uint, cost: .constant) { number in
        guard case .double(let number) = number else { return .mismatch }
        guard number >= 0, number < 0x1p64 else { return range(text(number), "uint") }
        return .uint(UInt64(number))
      },
      .global([.string], .uint) { text in
        guard case .string(let text) = text else { return .mismatch }
        return UInt64(text).map(Value.uint) ?? malformed(text, "uint")
      }),
    Function(
      "double", identity(.double),
      .global([.int], .double, cost: .constant) { number in
        guard case .int(let number) = number else { return .mismatch }
        return .double(Double(number))
      },
      .global([.uint], .double, cost: .constant) { number in
        guard case .uint(let number) = number else { return .mismatch }
        return .double(Double(number))
      },
      .global([.string], .double) { text in
        guard case .string(let text) = text else { return .mismatch }
        return Double(text).map(Value.double) ?? malformed(text, "double")
      }),
    Function(
      "string", identity(.string),
      .global([.bool], .string) { text($0) }, .global([.int], .string) { text($0) },
      .global([.uint], .string) { text($0) }, .global([.double], .string) { text($0) },
      .global([.timestamp], .string) { text($0) }, .global([.duration], .string) { text($0) },
      .global([.bytes], .string) { bytes in
        guard case .bytes(let bytes) = bytes else { return .mismatch }
        return String(validating: bytes, as: UTF8.self).map(Value.string)
          ?? .error(.invalidArgument, "string: the bytes are invalid UTF-8")
      }),
    Function(
      "bytes", identity(.bytes),
      .global([.string], .bytes) { text in
        guard case .string(let text) = text else { return .mismatch }
        return .bytes(Array(text.utf8))
      }),
    Function(
      "timestamp", identity(.timestamp),
      .global([.int], .timestamp, cost: .constant) { seconds in
        guard case .int(let seconds) = seconds else { return .mismatch }
        return TimeArithmetic.timestamp(seconds: seconds)
      },
      .global([.string], .timestamp) { text in
        guard case .string(let text) = text else { return .mismatch }
        return TimestampText.value(text)
      }),
    Function(
      "duration", identity(.duration),
      .global([.string], .duration) { text in
        guard case .string(let text) = text else { return .mismatch }
        return DurationText.value(text)
      }),
  ]

  private static func identity(_ type: CELType) -> Overload {
    .global([type], type, cost: .constant) { $0 }
  }

  static func malformed(_ text: String, _ type: String) -> Value {
    let shown = text.unicodeScalars.count > 40 ? String(text.prefix(40)) + "…" : text
    return .error(.invalidArgument, "\(type): cannot read \(shown.quoted)")
  }

  private static func range(_ number: String, _ type: String) -> Value {
    .error(.outOfRange, "\(type): \(number) is out of range")
  }

  private static func text(_ value: Value) -> Value {
    switch value {
    case .bool(let value): .string(value ? "true" : "false")
    case .int(let value): .string(String(value))
    case .uint(let value): .string(String(value))
    case .double(let value): .string(text(value))
    case .timestamp(let value): .string(value.description)
    case .duration(let value): .string(value.celText)
    default: .mismatch
    }
  }

  /// The shortest digits that are read as the number, as cel-go and cel-cpp write them.
  private static func text(_ number: Double) -> String {
    if number.isNaN { return "NaN" }
    if number.isInfinite { return number > 0 ? "+Inf" : "-Inf" }
    return ShortestDigits(number).general
  }
}
