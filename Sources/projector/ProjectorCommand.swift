import OrderProjections
import ProjectorCLI
import Topology

/// The command line with the topologies of the order domain.
@main
struct ProjectorCommand: ProjectorApp {
  static let topologies = [
    RegisteredTopology("order-projections") { () throws(TopologyError) in try orderProjections() },
    RegisteredTopology("purchase-orders", purchaseOrders),
  ]
}
