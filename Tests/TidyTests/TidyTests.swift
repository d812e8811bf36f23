import Foundation
import Testing

/// The boundaries that the compiler does not keep.
@Suite("Tidy")
struct TidyTests {
  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Who may import whom, beside the system's modules and third parties.
  private static let table: [String: Set<String>] = [
    "StreamCore": [], "ChildProcesses": ["CSpawn"],
    "CEL": ["StreamCore"],
    "CELRE2": ["CEL", "CRE2"],
    "CELTimeZones": ["CEL"],
    "JSONSerdes": ["StreamCore", "CSimdJSON"],
    "StateStore": ["StreamCore", "CFault", "CLMDB", "CMalloc", "CXXHash"],
    "EmbeddedLog": ["StreamCore", "StateStore", "CFutex"],
    "KafkaLog": ["StreamCore", "CRdKafka"],
    "Topology": ["StreamCore", "StateStore", "CTrap"],
    "TopologyTesting": ["StreamCore", "StateStore", "Topology"],
    "EngineChecks": ["StreamCore", "StateStore", "Topology", "TopologyTesting"],
    "OrderProjections": ["StreamCore", "Topology", "JSONSerdes"],
    "ProjectorCLI": [
      "StreamCore", "ChildProcesses", "StateStore", "Topology", "JSONSerdes", "EmbeddedLog",
      "KafkaLog", "OrderProjections",
    ],
    "projector": ["ProjectorCLI", "OrderProjections", "Topology"],
  ]
  private static let system: Set<String> = ["Glibc", "Synchronization", "Dispatch"]
  private static let thirdParties: [String: Set<String>] = [
    "ProjectorCLI": ["ArgumentParser", "Logging"], "Topology": ["Crypto"],
  ]

  private static func swiftFiles(_ directory: String) throws -> [URL] {
    let base = root.appendingPathComponent(directory)
    let files = FileManager.default.enumerator(at: base, includingPropertiesForKeys: nil)
    return (files?.allObjects ?? []).compactMap { $0 as? URL }
      .filter { $0.pathExtension == "swift" }
  }

  private static func lines(_ file: URL) throws -> [Substring] {
    try String(contentsOf: file, encoding: .utf8).split(
      separator: "\n", omittingEmptySubsequences: false)
  }

  @Test("each target imports what the table lets it", arguments: table.keys.sorted())
  func imports(target: String) throws {
    let files = try Self.swiftFiles("Sources/\(target)")
    #expect(!files.isEmpty)
    let allowed = (Self.table[target] ?? []).union(target == "StreamCore" ? [] : Self.system)
      .union(Self.thirdParties[target] ?? [])
    for file in files {
      for line in try Self.lines(file) {
        let words = line.split(separator: " ")
        guard let word = words.firstIndex(of: "import"), word <= 2, word + 1 < words.count,
          words[..<word].allSatisfy({ ["public", "package", "@_exported"].contains($0) })
        else { continue }
        let module = String(words[words.count - 1].split(separator: ".")[0])
        #expect(allowed.contains(module), "\(file.lastPathComponent) imports \(module)")
      }
    }
  }

  @Test("the table names every Swift target")
  func targets() throws {
    let directories = try FileManager.default.contentsOfDirectory(
      atPath: Self.root.appendingPathComponent("Sources").path)
    for name in directories where try !Self.swiftFiles("Sources/\(name)").isEmpty {
      #expect(Self.table[name] != nil, "'\(name)' is not in the table")
    }
  }

  @Test("no file is longer than 600 lines, empty, or left over")
  func files() throws {
    for file in try Self.swiftFiles("Sources") + Self.swiftFiles("Tests") {
      let count = try Self.lines(file).count
      #expect(count <= 600, "\(file.lastPathComponent) has \(count) lines")
      #expect(count > 3, "\(file.lastPathComponent) holds nothing")
      let name = file.deletingPathExtension().lastPathComponent
      #expect(name != "Placeholder" && !name.hasSuffix("Stub"))
    }
  }

  @Test("the tests that the documents name exist", arguments: ["README.md", "ARCHITECTURE.md"])
  func namedTests(document: String) throws {
    let text = try String(
      contentsOf: Self.root.appendingPathComponent(document), encoding: .utf8)
    let known = Set(
      try Self.swiftFiles("Tests").map { $0.deletingPathExtension().lastPathComponent })
    let targets = Set(
      try FileManager.default.contentsOfDirectory(
        atPath: Self.root.appendingPathComponent("Tests").path))
    for match in text.matches(of: #/`(?:Tests/)?(\w+Tests)`/#) {
      let name = String(match.1)
      #expect(known.contains(name) || targets.contains(name), "\(document) names \(name)")
    }
  }
}
