import Glibc
import StateStore
import Topology

// Runs a unit whose code ends the process: trapworker FILE WAY.
TrapReport.install()
DamageReport.install()
let (path, way) = (CommandLine.arguments[1], CommandLine.arguments[2])

func overflow(_ depth: Int) -> Int { depth < 0 ? 0 : overflow(depth + 1) + 1 }

func fail() {
  switch way {
  case "trap": fatalError("a handler's own check")
  case "memory": unsafe UnsafeMutablePointer<Int>(bitPattern: 8)?.pointee = 1
  case "stack": print(overflow(0))
  case "sent": raise(SIGFPE)
  default: fatalError("an unknown way")
  }
}

TrapReport.onThread {
  let site = TrapSite(path: path, generation: 2, task: "orders-3", input: "orders-3")
  // A unit that went through leaves nothing.
  site.run(offset: 499, unit: 11) {}
  if way == "outside" { fatalError("between two units") }
  site.run(offset: 500, unit: 12) { fail() }
}
