// Without `Topology`, which has a description of stores of its own under the same name.
import StateStore

/// A view as the state itself describes it.
typealias StoredView = StoreDescription
