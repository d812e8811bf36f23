import ArgumentParser
import StateStore

struct Views: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Lists the views of a topology with their keys, rows and indexes.")

  @Argument(help: "A topology with state here.") var topology: String
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("state", state.directory)] }

  func run(in session: Session) throws {
    let state = try TopologyState(session.stateDirectory(of: topology))
    var table = TextTable(["VIEW", "KEY", "ROWS", "ROW TYPE", "INDEXES"], numeric: [2])
    for view in try state.views() {
      let description = view.description
      let rows = try view.partitions.reduce(0) { sum, task in
        try sum + task.read { try $0.count(description) }
      }
      if let lack = view.lack { StandardError.write("warning: \(lack)\n") }
      let indexes = description.indexes.map { index in
        let fields = index.components.map { $0.isDescending ? "\($0.name) desc" : $0.name }
        return "\(index.name) (\(fields.joined(separator: ", ")))"
      }
      let isAudit = description.kind == .audit
      let key = description.keyTypes.map(\.rawValue) + (isAudit ? ["sequence"] : [])
      table.add([
        view.name, key.joined(separator: ", "), rows.grouped, description.rowType,
        indexes.joined(separator: ", "),
      ])
    }
    try session.output.write(table.text)
  }
}
