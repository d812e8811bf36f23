import ArgumentParser

/// Parses a command line, runs its verb and turns what goes wrong into one line and a status.
struct CommandRunner {
  let topologies: [RegisteredTopology]
  let signals: TerminationSignals

  func run(_ arguments: [String]) -> ExitStatus {
    let output = StandardOutput()
    do {
      let command = try Projector.parseAsRoot(arguments)
      if let verb = command as? any Verb {
        try verb.run(
          in: try Session(verb, topologies: topologies, output: output, signals: signals))
      } else {
        var command = command
        try command.run()
      }
      try output.flush()
      return .done
    } catch is BrokenPipe {
      // Whoever read our output has seen enough.
      return .done
    } catch let error where Self.isOfParser(error) {
      return report(parsing: error, of: arguments, output)
    } catch {
      return report(Failure(error), output)
    }
  }

  /// What is on its way to standard output goes first, so that the error is the last thing read.
  private func report(_ failure: Failure, _ output: StandardOutput) -> ExitStatus {
    do { try output.flush() } catch { return .done }
    StandardError.write("error: \(LineText.escaped(failure.description))\n")
    return failure.status
  }

  private static func isOfParser(_ error: any Error) -> Bool {
    if error is Failure { return false }
    return Projector.exitCode(for: error).rawValue != ExitStatus.failed.rawValue
  }

  /// Help goes to standard output with status 0; a wrong command line is a usage error.
  private func report(parsing error: any Error, of arguments: [String], _ output: StandardOutput)
    -> ExitStatus
  {
    guard Projector.exitCode(for: error) != .success else {
      do {
        try output.write(Projector.fullMessage(for: error) + "\n")
        try output.flush()
      } catch {
        // Nobody reads the help that was asked for.
      }
      return .done
    }
    var message = Projector.message(for: error)
    if message.hasSuffix(".") { message.removeLast() }
    message = message.prefix(1).lowercased() + message.dropFirst()
    let verb = arguments.first.map { $0.hasPrefix("-") ? "" : " \($0)" } ?? ""
    StandardError.write(
      "error: \(LineText.escaped(message)) (command line); see "
        + "`\(Projector.executableName)\(LineText.escaped(verb)) --help`\n")
    return .usage
  }
}
