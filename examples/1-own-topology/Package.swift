// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "own-topology",
  dependencies: [.package(name: "projector", path: "../..")],
  targets: [
    .executableTarget(
      name: "own-topology",
      dependencies: [
        .product(name: "JSONSerdes", package: "projector"),
        .product(name: "ProjectorCLI", package: "projector"),
        .product(name: "Topology", package: "projector"),
      ])
  ]
)
