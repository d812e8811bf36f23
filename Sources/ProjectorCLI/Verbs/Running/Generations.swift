import ArgumentParser
import Logging
import StateStore
import StreamCore
import Topology

struct Generations: Verb {
  static let configuration = CommandConfiguration(
    abstract: "Lists the generations of a topology's state, or drops one.")

  @Argument(help: "A topology with state here.") var topology: String
  @Option(help: ArgumentHelp("Remove this generation.", valueName: "number")) var drop: Int?
  @OptionGroup var state: StateOption
  @OptionGroup var common: CommonOptions

  var given: [(key: String, value: String?)] { [("state", state.directory)] }

  func run(in session: Session) throws {
    let directory = try session.stateDirectory(of: topology)
    let current = try directory.current()
    if let drop {
      try remove(drop, in: directory, current: current)
      session.logger.info("dropped generation \(StateDirectory.name(drop))")
      return
    }
    var table = TextTable(["GENERATION", "STATUS", "CREATED", "CURRENT"])
    for generation in try directory.generations() {
      let meta = try GenerationMeta.read(directory.directory(of: generation))
      table.add([
        StateDirectory.name(generation),
        generation != current && meta?.phase == .serving
          ? "retired" : meta?.phase.rawValue ?? "unknown", meta?.created ?? "",
        generation == current ? "*" : "",
      ])
    }
    try session.output.write(table.text)
  }

  private func remove(_ generation: Int, in directory: StateDirectory, current: Int?) throws {
    guard try directory.generations().contains(generation) else {
      throw Failure(
        .notFound, "there is no generation \(generation)", at: directory.path,
        todo: "`generations` lists them")
    }
    guard generation != current else {
      throw Failure(
        .invalid, "generation \(generation) is the one that serves", at: directory.path,
        todo: "rewind first, then drop it")
    }
    let meta = try GenerationMeta.read(directory.directory(of: generation))
    // Nobody writes one that has served; any other may be filling.
    let lock = meta?.phase == .serving ? nil : try OwnerLock(directory)
    try directory.remove(generation)
    withExtendedLifetime(lock) {}
  }
}
