import Testing

/// cel-spec's own cases, all that need no protocol buffers. Nothing of them is in this repository:
///
///     git clone https://github.com/google/cel-spec
///     CEL_SPEC_DIR=$PWD/cel-spec swift test --filter ConformanceTests
@Suite(
  .enabled(
    if: !ConformanceSuite.directory.isEmpty,
    "CEL_SPEC_DIR does not name a checkout of github.com/google/cel-spec"))
struct ConformanceTests {
  @Test("every case passes", arguments: ConformanceSuite.files)
  func file(_ file: String) throws {
    let (cases, left) = try ConformanceSuite.read(file)
    var failed = 0
    for test in cases {
      let complaint = ConformanceSuite.complaint(about: test)
      if complaint != nil { failed += 1 }
      #expect(complaint == nil, "\(test.name): \(test.expression)")
    }
    let reasons = left.sorted { $0.key.rawValue < $1.key.rawValue }
      .map { "\($0.value) need \($0.key.rawValue)" }
    print(
      (["\(file): \(cases.count - failed) of \(cases.count) pass"] + reasons)
        .joined(separator: ", "))
  }

  @Test("the folder holds the suite")
  func isComplete() throws {
    let count = try ConformanceSuite.files.reduce(0) { count, file in
      let (cases, left) = try ConformanceSuite.read(file)
      return count + cases.count + left.values.reduce(0, +)
    }
    #expect(count >= 2400, "the suite had 2456 cases in 2026")
  }
}
