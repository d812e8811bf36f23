import Glibc

// `benchmarks` prints the table; `benchmarks STEP …` is one of its child processes.
let arguments = Array(CommandLine.arguments.dropFirst())
do {
  if let step = arguments.first {
    guard let run = Step.all[step] else { throw BenchmarkError("there is no step '\(step)'") }
    try run(Array(arguments.dropFirst()))
  } else {
    try BenchmarkRun().all()
  }
} catch {
  Diagnostics.tell("error: \(error)")
  exit(1)
}
