import StreamCore

/// `text.format(list)`: what cel-spec, doc/extensions/strings.md, "Format" says of each clause.
enum TextFormat {
  /// The most digits behind a point; a clause cannot ask for a text of any length.
  static let precisionMax = 1000
  private static let precisionDefault = 6

  static func format(_ text: String, _ arguments: ListValue, _ budget: inout Budget) -> Value {
    var format = TextFormat.Run(arguments: arguments, budget: budget)
    defer { budget = format.budget }
    do {
      return .string(try format.run(text))
    } catch {
      return .error(error)
    }
  }

  /// One call.
  private struct Run {
    let arguments: ListValue
    var budget: Budget
    private var result = ""
    private var next = 0

    init(arguments: ListValue, budget: Budget) {
      self.arguments = arguments
      self.budget = budget
    }

    mutating func run(_ text: String) throws(EvaluationError) -> String {
      var rest = text.unicodeScalars[...]
      while let percent = rest.firstIndex(of: "%") {
        result.unicodeScalars += rest[..<percent]
        rest = rest[rest.index(after: percent)...]
        if rest.first == "%" {
          result += "%"
          rest.removeFirst()
        } else {
          try appendClause(&rest)
        }
      }
      result.unicodeScalars += rest
      return result
    }

    private mutating func appendClause(_ rest: inout Substring.UnicodeScalarView)
      throws(EvaluationError)
    {
      let precision = try precision(&rest)
      guard let clause = rest.popFirst() else {
        throw EvaluationError(.invalidArgument, "format: the text ends within a clause")
      }
      guard ["s", "d", "f", "e", "x", "X", "o", "b"].contains(clause) else {
        throw EvaluationError(
          .invalidArgument, "format: there is no clause '%\(Character(clause))'")
      }
      guard next < arguments.count else {
        throw EvaluationError(
          .invalidArgument,
          "format: the text has more clauses than there are arguments, \(arguments.count)")
      }
      let argument = arguments[next]
      next += 1
      if case .error(let error) = argument { throw error }
      let text = try Self.text(of: argument, clause, precision, &budget)
      guard budget.charge(1 + text.utf8.count / 16) else { throw Budget.exceeded }
      result += text
    }

    private func precision(_ rest: inout Substring.UnicodeScalarView) throws(EvaluationError)
      -> Int
    {
      guard rest.first == "." else { return precisionDefault }
      rest.removeFirst()
      var digits = 0
      var precision = 0
      while let digit = rest.first, ("0"..."9").contains(digit) {
        precision = min(precision * 10 + Int(digit.value - 0x30), precisionMax + 1)
        digits += 1
        rest.removeFirst()
      }
      guard digits > 0 else {
        throw EvaluationError(.invalidArgument, "format: a precision needs digits, as in '%.2f'")
      }
      guard precision <= precisionMax else {
        throw EvaluationError(
          .invalidArgument, "format: a precision is at most \(precisionMax)")
      }
      return precision
    }

    private static func text(
      of value: Value, _ clause: Unicode.Scalar, _ precision: Int, _ budget: inout Budget
    ) throws(EvaluationError) -> String {
      let text: String? =
        switch clause {
        case "s": try plain(value, &budget)
        case "d": decimal(value)
        case "f": digits(of: value) { $0.fixed(precision: precision) }
        case "e": digits(of: value) { $0.scientific(precision: precision) }
        case "x": hexadecimal(value, uppercase: false)
        case "X": hexadecimal(value, uppercase: true)
        case "o": integer(value, radix: 8)
        default: integer(value, radix: 2)
        }
      guard let text else {
        throw EvaluationError(
          .invalidArgument,
          "format: '%\(Character(clause))' takes no value of type \(value.type.runtimeName)")
      }
      return text
    }

    private static func plain(_ value: Value, _ budget: inout Budget) throws(EvaluationError)
      -> String?
    {
      guard budget.charge(1) else { throw Budget.exceeded }
      switch value {
      case .null: return "null"
      case .bool(let value): return value ? "true" : "false"
      case .int, .uint, .double, .decimal: return decimal(value)
      case .string(let text): return text
      case .bytes(let bytes): return lenientText(bytes)
      case .duration(let duration): return duration.celText
      case .timestamp(let instant): return instant.description
      case .type(let type): return type.runtimeName
      case .list(let list):
        var texts: [String] = []
        for element in list {
          guard let text = try plain(element, &budget) else { return nil }
          texts.append(text)
        }
        return "[\(texts.joined(separator: ", "))]"
      case .map(let map):
        var entries: [(key: String, value: String)] = []
        for (key, value) in map.entries {
          guard let key = try plain(key, &budget), let value = try plain(value, &budget) else {
            return nil
          }
          entries.append((key, value))
        }
        entries.sort { $0.key.comesBefore($1.key) }
        return "{\(entries.map { "\($0.key): \($0.value)" }.joined(separator: ", "))}"
      case .error(let error): throw error
      case .optional, .object: return nil
      }
    }

    private static func decimal(_ value: Value) -> String? {
      switch value {
      case .int(let value): String(value)
      case .uint(let value): String(value)
      case .decimal(let value): value.decimal.description
      case .double(let value):
        nonFinite(value) ?? ShortestDigits(value).plain
      default: nil
      }
    }

    private static func nonFinite(_ value: Double) -> String? {
      value.isNaN ? "NaN" : value.isInfinite ? (value > 0 ? "Infinity" : "-Infinity") : nil
    }

    private static func digits(of value: Value, _ text: (ExactDigits) -> String) -> String? {
      switch value {
      case .int(let value):
        text(ExactDigits(magnitude: value.magnitude, isNegative: value < 0))
      case .uint(let value): text(ExactDigits(magnitude: value, isNegative: false))
      case .double(let value): nonFinite(value) ?? text(ExactDigits(value))
      case .decimal(let value): text(ExactDigits(value.decimal))
      default: nil
      }
    }

    private static func integer(_ value: Value, radix: Int) -> String? {
      switch value {
      case .int(let value): String(value, radix: radix)
      case .uint(let value): String(value, radix: radix)
      case .bool(let value) where radix == 2: value ? "1" : "0"
      default: nil
      }
    }

    private static func hexadecimal(_ value: Value, uppercase: Bool) -> String? {
      switch value {
      case .int(let value): String(value, radix: 16, uppercase: uppercase)
      case .uint(let value): String(value, radix: 16, uppercase: uppercase)
      case .string(let text): hexadecimal(Array(text.utf8), uppercase: uppercase)
      case .bytes(let bytes): hexadecimal(bytes, uppercase: uppercase)
      default: nil
      }
    }

    private static func hexadecimal(_ bytes: [UInt8], uppercase: Bool) -> String {
      var text = ""
      for byte in bytes {
        if byte < 16 { text += "0" }
        text += String(byte, radix: 16, uppercase: uppercase)
      }
      return text
    }

    /// Each run of bytes that is no UTF-8 becomes one U+FFFD.
    private static func lenientText(_ bytes: [UInt8]) -> String {
      var text = String.UnicodeScalarView()
      var decoder = Unicode.UTF8.ForwardParser()
      var source = bytes.makeIterator()
      var isAfterError = false
      while true {
        switch decoder.parseScalar(from: &source) {
        case .valid(let scalar):
          text.append(Unicode.UTF8.decode(scalar))
          isAfterError = false
        case .error:
          if !isAfterError { text.append("\u{FFFD}") }
          isAfterError = true
        case .emptyInput: return String(text)
        }
      }
    }
  }
}
