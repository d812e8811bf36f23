import StreamCore

/// What was promised of one state directory, as far as its state and the log do not tell.
struct DirectoryLedger {
  let root: String
  let partitions: [Int]
  var engine: SiteEngine
  var variant = SiteVariant()
  /// Programs that may have run since the sinks were last compared.
  var variantsSince: Set<SiteVariant> = [SiteVariant()]
  /// Whether state may be there.
  var hasRun = false
  /// Whether it was run by a program that sends something.
  var hadOutputs = false
  /// Whether a run with outputs came to its end, so that checkpoints are there.
  var hasSent = false
  /// Where the state may begin, by partition: the log's start, or where a rewind from empty went.
  var beginnings: [TopicPartition: Set<Offset>] = [:]
  /// Counts histories of the state that a copy cannot go back over.
  var epoch = 0
  var copy: Copy?
  /// Whether the added view was built.
  var extraViewIsBuilt = false
  var sinks: [String: SinkLedger] = [:]
  /// Places of records.
  var skipped: Set<String> = []
  var skippedFirings: Set<String> = []
  /// The state is a copy: it has the decisions that were published with outputs, and may lack others.
  var mayLackDecisions = false
  /// Events that died while a generation filled in silence.
  var silentDeaths: Set<Int> = []
  var released: Set<Int> = []
  /// Events under a known id that an operator had run by theirs.
  var retriedConflicts: Set<Int> = []
  /// Topics and ids of which an operator had other content run or skipped: where the first was
  /// still kept, it is the conflict now.
  var overtaken: Set<String> = []

  struct Copy {
    let path: String
    let epoch: Int
    let beginnings: [TopicPartition: Set<Offset>]
  }
}

/// What a sink is to hold of one state directory.
struct SinkLedger {
  /// How often each text was to be sent, in all of history.
  var expected: [String: Int] = [:]
  /// How often each text is an effect of the present state that is accounted for.
  var baseline: [String: Int] = [:]
  /// How often more it may be there: where two programs ran, of which one lacked the sink.
  var allowance: [String: Int] = [:]
}

extension DirectoryLedger {
  mutating func forgetDecisions() {
    (skipped, skippedFirings, released) = ([], [], [])
    (retriedConflicts, overtaken) = ([], [])
  }

  mutating func forgetBeginnings(_ shape: SiteShape) {
    for topic in shape.topics {
      for partition in partitions { beginnings[TopicPartition(topic, partition)] = [0] }
    }
  }
}

extension [String: Int] {
  /// What is here and not there, by count.
  func minus(_ other: [String: Int]) -> [String: Int] {
    var rest: [String: Int] = [:]
    for (text, count) in self where count > other[text, default: 0] {
      rest[text] = count - other[text, default: 0]
    }
    return rest
  }

  mutating func add(_ other: [String: Int]) { merge(other) { $0 + $1 } }
}
