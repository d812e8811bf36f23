import ArgumentParser

struct Version: Verb {
  static let configuration = CommandConfiguration(abstract: "Prints the version.")
  static let number = "0.1.0"

  @OptionGroup var common: CommonOptions

  func run(in session: Session) throws {
    try session.output.write("projector \(Self.number)\n")
  }
}
