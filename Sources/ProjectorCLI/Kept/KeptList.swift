import StateStore
import Topology

/// The two lists of records that are kept aside.
enum KeptList: String {
  case held, deadLetters

  /// As messages call one of its records.
  var noun: String { self == .held ? "held record" : "dead letter" }

  /// Words by which `--reason` chooses.
  var reasons: [String] {
    switch self {
    case .held: ["missingRow", "missingNumber", "parked"]
    case .deadLetters:
      // A timer that failed to fire has no record, and a reason of its own.
      ProcessingFailure.Reason.allCases.map(\.rawValue) + ["firing"]
    }
  }
}

extension KeptRecord {
  /// The word by which `--reason` chooses it.
  var reasonWord: String {
    switch why {
    case .failed(let reason, _, _): reason
    case .missingRow: "missingRow"
    case .missingNumber: "missingNumber"
    case .parked: "parked"
    }
  }

  /// Why it is kept, in a line.
  var explanation: String {
    switch why {
    case .failed(let reason, let message, let parks):
      "\(reason): \(message)\(parks ? " (later records of its key wait)" : "")"
    case .missingRow: "missingRow: waits until '\(operatorName)' has a row of its key"
    case .missingNumber: "missingNumber: waits for the sequence numbers before its own"
    case .parked: "parked: waits behind a failed record of its key"
    }
  }
}
