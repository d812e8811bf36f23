// swift-tools-version: 6.2
import PackageDescription

/// One list for every Swift target: what the compiler can check, it checks.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .treatAllWarnings(as: .error),
]
/// For the targets that wrap C: every unsafe use carries the word.
let wrapper: [SwiftSetting] = strict + [.strictMemorySafety()]

let package = Package(
  name: "projector",
  products: [
    .library(name: "StreamCore", targets: ["StreamCore"]),
    .library(name: "CEL", targets: ["CEL"]),
    .library(name: "CELRE2", targets: ["CELRE2"]),
    .library(name: "CELTimeZones", targets: ["CELTimeZones"]),
    .library(name: "JSONSerdes", targets: ["JSONSerdes"]),
    .library(name: "Topology", targets: ["Topology"]),
    .library(name: "OrderProjections", targets: ["OrderProjections"]),
    .library(name: "ProjectorCLI", targets: ["ProjectorCLI"]),
    .executable(name: "projector", targets: ["projector"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .systemLibrary(
      name: "CLMDB", path: "Sources/CLMDB", providers: [.apt(["liblmdb-dev"])]),
    .systemLibrary(
      name: "CXXHash", path: "Sources/CXXHash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(
      name: "CRdKafka", path: "Sources/CRdKafka", providers: [.apt(["librdkafka-dev"])]),
    .systemLibrary(name: "CFault", path: "Sources/CFault"),
    .systemLibrary(name: "CFutex", path: "Sources/CFutex"),
    .systemLibrary(name: "CMalloc", path: "Sources/CMalloc"),
    .systemLibrary(name: "CSpawn", path: "Sources/CSpawn"),
    .target(name: "CTrap", path: "Sources/CTrap"),
    .target(
      name: "CSimdJSON", path: "Sources/CSimdJSON",
      cxxSettings: [.define("NDEBUG", .when(configuration: .release))],
      linkerSettings: [.linkedLibrary("simdjson")]),
    .target(
      name: "CRE2", path: "Sources/CRE2", linkerSettings: [.linkedLibrary("re2")]),
    .target(name: "StreamCore", swiftSettings: strict),
    .target(name: "ChildProcesses", dependencies: ["CSpawn"], swiftSettings: strict),
    .target(
      name: "CEL", dependencies: ["StreamCore"], exclude: ["README.md"], swiftSettings: strict,
      // Rounding of doubles; a host that imports no C library would lack it.
      linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
    .target(name: "CELRE2", dependencies: ["CEL", "CRE2"], swiftSettings: wrapper),
    .target(name: "CELTimeZones", dependencies: ["CEL"], swiftSettings: wrapper),
    .target(name: "JSONSerdes", dependencies: ["StreamCore", "CSimdJSON"], swiftSettings: wrapper),
    .target(
      name: "StateStore", dependencies: ["StreamCore", "CFault", "CLMDB", "CMalloc", "CXXHash"],
      // Lifetimes: so that a function may hand out a span of what it borrows.
      swiftSettings: wrapper + [.enableExperimentalFeature("Lifetimes")]),
    .target(
      name: "EmbeddedLog", dependencies: ["StreamCore", "StateStore", "CFutex"],
      swiftSettings: wrapper + [.enableExperimentalFeature("Lifetimes")]),
    .target(name: "KafkaLog", dependencies: ["StreamCore", "CRdKafka"], swiftSettings: wrapper),
    .target(
      name: "Topology",
      dependencies: [
        "StreamCore", "StateStore", "CTrap",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: strict),
    .target(
      name: "TopologyTesting", dependencies: ["StreamCore", "StateStore", "Topology"],
      swiftSettings: strict),
    // What the checks of the engine need and no user does.
    .target(
      name: "EngineChecks",
      dependencies: ["StreamCore", "StateStore", "Topology", "TopologyTesting"],
      swiftSettings: strict),
    .target(
      name: "OrderProjections", dependencies: ["StreamCore", "Topology", "JSONSerdes"],
      swiftSettings: strict),
    .target(
      name: "ProjectorCLI",
      dependencies: [
        "StreamCore", "ChildProcesses", "JSONSerdes", "StateStore", "EmbeddedLog", "KafkaLog",
        "Topology", "OrderProjections",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "projector", dependencies: ["ProjectorCLI", "OrderProjections", "Topology"],
      swiftSettings: strict),
    // What is `package` in the engine is open to it, so it is no package of its own.
    .executableTarget(
      name: "benchmarks",
      dependencies: [
        "StreamCore", "CEL", "JSONSerdes", "StateStore", "EmbeddedLog", "KafkaLog", "Topology",
        "OrderProjections",
      ],
      path: "Benchmarks", swiftSettings: strict),
    .testTarget(
      name: "StreamCoreTests", dependencies: ["StreamCore"], swiftSettings: strict),
    .testTarget(
      name: "CELTests",
      dependencies: ["CEL", "CELRE2", "CELTimeZones", "ChildProcesses", "StreamCore"],
      swiftSettings: strict),
    .testTarget(
      name: "JSONSerdesTests", dependencies: ["JSONSerdes", "StreamCore"], swiftSettings: strict),
    .testTarget(
      name: "StateStoreTests",
      dependencies: ["ChildProcesses", "SmallDisk", "StateStore", "StateWorker", "StreamCore"],
      swiftSettings: strict),
    .executableTarget(
      name: "StateWorker", dependencies: ["StateStore"], path: "Tests/StateWorker",
      swiftSettings: strict),
    .executableTarget(
      name: "TrapWorker", dependencies: ["EmbeddedLog", "StateStore", "StreamCore", "Topology"],
      path: "Tests/TrapWorker", swiftSettings: strict),
    .executableTarget(
      name: "LogWorker", dependencies: ["EmbeddedLog", "StreamCore"], path: "Tests/LogWorker",
      swiftSettings: strict),
    .target(
      name: "MockCluster", dependencies: ["CRdKafka"], path: "Tests/MockCluster",
      swiftSettings: strict),
    .testTarget(
      name: "EmbeddedLogTests",
      dependencies: [
        "ChildProcesses", "EmbeddedLog", "LogWorker", "StateStore", "StreamCore",
        "TopologyTesting",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "KafkaLogTests",
      dependencies: ["KafkaLog", "MockCluster", "StreamCore", "TopologyTesting"],
      swiftSettings: strict),
    .testTarget(
      name: "TopologyTests",
      dependencies: [
        "ChildProcesses", "Topology", "TopologyTesting", "TrapWorker", "StateStore", "StreamCore",
        "JSONSerdes",
      ],
      swiftSettings: strict),
    .target(name: "FaultyDisk", path: "Tests/FaultyDisk"),
    .target(
      name: "SmallDisk", dependencies: ["ChildProcesses"], path: "Tests/SmallDisk",
      swiftSettings: strict),
    .executableTarget(
      name: "CrashWorker",
      dependencies: [
        "EmbeddedLog", "EngineChecks", "FaultyDisk", "StateStore", "StreamCore", "Topology",
      ],
      path: "Tests/CrashWorker", swiftSettings: strict),
    .testTarget(
      name: "CrashTests",
      dependencies: ["ChildProcesses", "CrashWorker", "EmbeddedLog", "EngineChecks", "StreamCore"],
      swiftSettings: strict),
    .testTarget(name: "TidyTests", swiftSettings: strict),
    .testTarget(
      name: "SimulationTests",
      dependencies: [
        "EngineChecks", "Topology", "TopologyTesting", "StateStore", "StreamCore", "JSONSerdes",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "OrderProjectionsTests",
      dependencies: [
        "ChildProcesses", "OrderProjections", "TopologyTesting", "Topology", "JSONSerdes",
        "StateStore", "StreamCore",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ProjectorCLITests",
      dependencies: [
        "ChildProcesses", "projector", "KafkaLog", "MockCluster", "SmallDisk", "StateStore",
        "StreamCore", "Topology",
      ],
      swiftSettings: strict),
  ],
  cxxLanguageStandard: .cxx17
)
