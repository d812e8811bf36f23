import ArgumentParser

struct Config: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Prints the effective settings and where each comes from, secrets masked.")

  @OptionGroup var log: LogOption
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("log", log.url), ("state", state.directory)] }

  func run(in session: Session) throws {
    let settings = session.settings
    var table = TextTable(["KEY", "VALUE", "FROM"])
    let kafka = settings.entries.keys.filter { $0.hasPrefix(SettingKey.kafkaPrefix) }.sorted()
    for key in SettingKey.all.map(\.name) + kafka {
      guard let entry = settings.entries[key] else {
        table.add([key, "-", "not set"])
        continue
      }
      table.add([key, SettingKey.printable(entry.value, of: key), entry.origin])
    }
    try session.output.write(table.text)
  }
}
