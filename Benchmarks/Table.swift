/// The table that a run ends with.
struct Table {
  private let headings = [
    "figure", "reached", "target", "wall s", "interval", "dirty pages", "RssAnon MB", "state MB",
  ]
  private var rows: [[String]] = []

  mutating func add(
    _ figure: String, _ reached: String, target: String = "", wall: Double? = nil,
    interval: Double? = nil, pages: Double? = nil, anonymous: Int? = nil, state: Double? = nil
  ) {
    func text(_ number: Double?) -> String { number.map { Self.grouped(Int($0.rounded())) } ?? "" }
    let row = [
      figure, reached, target, wall.map { Self.decimal($0, 1) } ?? "", text(interval),
      text(pages), anonymous.map { Self.decimal(Double($0) / 1e6, 0) } ?? "",
      state.map { Self.decimal($0 / 1e6, 0) } ?? "",
    ]
    rows.append(row)
    print(row.filter { !$0.isEmpty }.joined(separator: "  "))
  }

  func printAll() {
    let all = [headings] + rows
    let widths = headings.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    print("")
    for (number, row) in all.enumerated() {
      let cells = zip(row, widths).enumerated().map { column, cell in
        let space = String(repeating: " ", count: cell.1 - cell.0.count)
        return column == 0 ? cell.0 + space : space + cell.0
      }
      print("| " + cells.joined(separator: " | ") + " |")
      guard number == 0 else { continue }
      let lines = widths.enumerated().map { column, width in
        String(repeating: "-", count: width + (column == 0 ? 2 : 1)) + (column == 0 ? "" : ":")
      }
      print("|" + lines.joined(separator: "|") + "|")
    }
  }

  /// `1,234,567`.
  static func grouped(_ number: Int) -> String {
    var text = ""
    for (index, digit) in String(number).reversed().enumerated() {
      if index > 0, index % 3 == 0, digit != "-" { text.append(",") }
      text.append(digit)
    }
    return String(text.reversed())
  }

  static func decimal(_ number: Double, _ digits: Int) -> String {
    guard digits > 0 else { return grouped(Int(number.rounded())) }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int((number * scale).rounded())
    let fraction = String(abs(scaled) % Int(scale))
    return "\(scaled / Int(scale))."
      + String(repeating: "0", count: digits - fraction.count) + fraction
  }
}
