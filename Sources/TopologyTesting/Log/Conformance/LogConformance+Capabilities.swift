import StreamCore

extension LogConformance {
  /// Creating and deleting topics.
  public static let administration = ConformanceSuite(
    name: "administration",
    cases: [
      ConformanceCase("a created topic is there, once") { trial in
        guard let administration = trial.log.administration else { return }
        try administration.createTopic("orders", partitions: 4, retention: TopicRetention())
        try trial.equal(try trial.log.topic("orders")?.partitions, 4, "partitions")
        try trial.fails(.topicExists, "creating it again") {
          try administration.createTopic("orders", partitions: 2, retention: TopicRetention())
        }
        try trial.equal(try trial.log.topic("orders")?.partitions, 4, "partitions")
      },
      ConformanceCase("names are Kafka's: letters, digits, dot, underscore, hyphen") { trial in
        guard let administration = trial.log.administration else { return }
        let long = String(repeating: "n", count: 250)
        for name in ["", ".", "..", "a b", "a/b", "ü", "a:b", long] {
          try trial.fails(.invalid, "the name '\(name)'") {
            try administration.createTopic(name, partitions: 1, retention: TopicRetention())
          }
        }
        for name in ["a", "A.b_c-9", String(long.dropLast())] {
          try administration.createTopic(name, partitions: 1, retention: TopicRetention())
        }
        for partitions in [0, -1] {
          try trial.fails(.invalid, "\(partitions) partitions") {
            try administration.createTopic("p", partitions: partitions, retention: TopicRetention())
          }
        }
      },
      ConformanceCase("a deleted topic is gone, and a new one of its name is empty") { trial in
        guard let administration = trial.log.administration else { return }
        try administration.createTopic("brief", partitions: 1, retention: TopicRetention())
        let partition = TopicPartition("brief", 0)
        _ = try trial.append(values: ["old"], to: "brief")
        try administration.deleteTopic("brief")
        try trial.expect(try trial.log.topic("brief") == nil, "the topic is gone")
        try trial.fails(.topicMissing, "deleting it again") {
          try administration.deleteTopic("brief")
        }
        try trial.fails(.topicMissing, "appending to it") {
          _ = try trial.append(values: ["lost"], to: "brief")
        }
        try administration.createTopic("brief", partitions: 1, retention: TopicRetention())
        try trial.equal(try trial.log.offsets(of: partition), 0..<0, "offsets")
        _ = try trial.append(values: ["new"], to: "brief")
        try trial.equal(try trial.values(partition), ["new"], "records")
      },
    ])

  /// What groups committed.
  public static let groupOffsets = ConformanceSuite(
    name: "group offsets",
    cases: [
      ConformanceCase("a group's offsets are kept apart, replaced and forgotten") { trial in
        guard let groups = trial.log.groupOffsets else { return }
        try trial.topic("grouped", partitions: 3)
        let places = (0..<3).map { TopicPartition("grouped", $0) }
        try trial.equal(try groups.committed(group: "a", places), [:], "nothing yet")
        try groups.commit(group: "a", [places[0]: 5, places[1]: 7])
        try groups.commit(group: "b", [places[0]: 1])
        try groups.commit(group: "a", [places[0]: 4])
        try trial.equal(
          try groups.committed(group: "a", places), [places[0]: 4, places[1]: 7], "group a")
        try trial.equal(try groups.committed(group: "b", places), [places[0]: 1], "group b")
        try groups.delete(group: "a", [places[0], places[2]])
        try trial.equal(try groups.committed(group: "a", places), [places[1]: 7], "after deleting")
        try trial.equal(try groups.committed(group: "b", places), [places[0]: 1], "group b")
      }
    ])

  /// Repeats of a batch are taken once.
  public static let idempotentAppends = ConformanceSuite(
    name: "idempotent appends",
    cases: [
      ConformanceCase("a repeat answers as the first call did and appends nothing") { trial in
        guard let appends = trial.log.idempotentAppends else { return }
        try trial.topic("once", partitions: 2)
        let records = (0..<10).map { trial.record("\($0)", partition: $0 % 2) }
        let first = try appends.append(records, to: "once", producer: "p", sequence: 0)
        let repeated = try appends.append(records, to: "once", producer: "p", sequence: 0)
        try trial.equal(repeated, first, "results of the repeat")
        try trial.equal(try trial.values(TopicPartition("once", 0)).count, 5, "records")
        _ = try appends.append(records, to: "once", producer: "p", sequence: 1)
        try trial.equal(try trial.values(TopicPartition("once", 0)).count, 10, "records")
      },
      ConformanceCase("a sequence behind the last is fenced, a gap refused") { trial in
        guard let appends = trial.log.idempotentAppends else { return }
        try trial.topic("order")
        let record = trial.record("v", partition: 0)
        try trial.fails(.sequenceConflict, "beginning at 1") {
          _ = try appends.append([record], to: "order", producer: "p", sequence: 1)
        }
        for sequence in 0..<3 as Range<Int64> {
          _ = try appends.append([record], to: "order", producer: "p", sequence: sequence)
        }
        try trial.fails(.fenced, "an old sequence") {
          _ = try appends.append([record], to: "order", producer: "p", sequence: 1)
        }
        try trial.fails(.sequenceConflict, "a gap") {
          _ = try appends.append([record], to: "order", producer: "p", sequence: 4)
        }
        _ = try appends.append([record], to: "order", producer: "q", sequence: 0)
        try trial.equal(try trial.values(TopicPartition("order", 0)).count, 4, "records")
      },
    ])

  /// The event store's optimistic lock.
  public static let expectedSequenceAppends = ConformanceSuite(
    name: "expected-sequence appends",
    cases: [
      ConformanceCase("an append counts on where the key's records ended") { trial in
        guard let appends = trial.log.expectedSequenceAppends else { return }
        try trial.topic("events", partitions: 3)
        let key = Array("order-1".utf8)
        func event(_ value: String) -> ProducerRecord {
          ProducerRecord(key: key, value: Array(value.utf8))
        }
        try trial.equal(try appends.sequence(ofKey: key, in: "events"), 0, "sequence")
        let results = try appends.append(
          [event("created"), event("confirmed")], to: "events", expectedSequence: 0)
        try trial.equal(try appends.sequence(ofKey: key, in: "events"), 2, "sequence")
        for wrong in [0, 1, 3] as [Int64] {
          do {
            _ = try appends.append([event("lost")], to: "events", expectedSequence: wrong)
            throw ConformanceFailure("an append that expected \(wrong) of 2 succeeded")
          } catch let error as LogError {
            try trial.equal(error.code, .sequenceConflict, "code")
            try trial.expect(
              error.message.contains("2"), "the message names the sequence: \(error)")
          }
        }
        _ = try appends.append([event("paid")], to: "events", expectedSequence: 2)
        try trial.equal(
          try trial.values(results[0].topicPartition), ["created", "confirmed", "paid"], "events")
        let other = Array(repeating: UInt8(ascii: "k"), count: 2_000)
        _ = try appends.append(
          [ProducerRecord(key: other, value: [1])], to: "events", expectedSequence: 0)
        try trial.equal(
          try appends.sequence(ofKey: other, in: "events"), 1, "a long key's sequence")
      },
      ConformanceCase("of two writers one wins") { trial in
        guard let appends = trial.log.expectedSequenceAppends else { return }
        try trial.topic("contended")
        let key = Array("k".utf8)
        let threads = (0..<4).map { thread in
          BackgroundThread {
            // Each tries on until its record is in: a conflict says where to go on.
            var appended = 0
            do {
              while appended < 10 {
                let sequence = try appends.sequence(ofKey: key, in: "contended")
                do throws(LogError) {
                  _ = try appends.append(
                    [ProducerRecord(key: key, value: Array("\(sequence)".utf8))],
                    to: "contended", expectedSequence: sequence)
                  appended += 1
                } catch {
                  guard error.code == .sequenceConflict else { throw error }
                }
              }
            } catch { preconditionFailure("thread \(thread): \(error)") }
          }
        }
        for thread in threads { thread.join() }
        try trial.equal(
          try trial.values(TopicPartition("contended", 0)), (0..<40).map { "\($0)" }, "events")
      },
      ConformanceCase("records of several keys, or without one, are refused") { trial in
        guard let appends = trial.log.expectedSequenceAppends else { return }
        try trial.topic("keys")
        for keys: [[UInt8]?] in [[[1], [2]], [nil], [[1], nil]] {
          try trial.fails(.invalid, "keys \(keys)") {
            _ = try appends.append(
              keys.map { ProducerRecord(key: $0, value: []) }, to: "keys", expectedSequence: 0)
          }
        }
      },
    ])

  /// Atomic appends with fencing.
  public static let transactions = ConformanceSuite(
    name: "transactions",
    cases: [
      ConformanceCase("a transaction reaches all its topics in order") { trial in
        guard let transactions = trial.log.transactions else { return }
        try trial.topic("first", partitions: 2)
        try trial.topic("second")
        let producer = try transactions.makeProducer(transactionalID: "t")
        defer { producer.close() }
        for round in 0..<3 {
          let results = try producer.commit([
            ("first", trial.record("a\(round)", partition: 0)),
            ("second", trial.record("b\(round)", partition: 0)),
            ("first", trial.record("c\(round)", partition: 1)),
            ("first", trial.record("d\(round)", partition: 0)),
          ])
          try trial.equal(
            results.map { $0.topicPartition },
            [
              TopicPartition("first", 0), TopicPartition("second", 0), TopicPartition("first", 1),
              TopicPartition("first", 0),
            ], "places")
        }
        try trial.equal(
          try trial.values(TopicPartition("first", 0)), ["a0", "d0", "a1", "d1", "a2", "d2"],
          "first-0")
        try trial.equal(
          try trial.values(TopicPartition("first", 1)), ["c0", "c1", "c2"], "first-1")
        try trial.equal(
          try trial.values(TopicPartition("second", 0)), ["b0", "b1", "b2"], "second")
      },
      ConformanceCase("a transaction that cannot reach a topic leaves nothing") { trial in
        guard let transactions = trial.log.transactions else { return }
        try trial.topic("reached")
        let producer = try transactions.makeProducer(transactionalID: "t")
        try trial.fails(.topicMissing, "committing to a missing topic") {
          _ = try producer.commit([
            ("reached", trial.record("a", partition: 0)), ("missing", trial.record("b")),
          ])
        }
        producer.close()
        try trial.equal(try trial.values(TopicPartition("reached", 0)), [], "records")
      },
      ConformanceCase("a newer holder fences the older one") { trial in
        guard let transactions = trial.log.transactions else { return }
        try trial.topic("fenced")
        let old = try transactions.makeProducer(transactionalID: "t")
        let other = try transactions.makeProducer(transactionalID: "u")
        _ = try old.commit([("fenced", trial.record("old", partition: 0))])
        let new = try transactions.makeProducer(transactionalID: "t")
        try trial.fails(.fenced, "the older holder's commit") {
          _ = try old.commit([("fenced", trial.record("zombie", partition: 0))])
        }
        _ = try new.commit([("fenced", trial.record("new", partition: 0))])
        try trial.fails(.fenced, "the older holder's next commit") {
          _ = try old.commit([("fenced", trial.record("zombie", partition: 0))])
        }
        _ = try other.commit([("fenced", trial.record("other", partition: 0))])
        for producer in [old, other, new] { producer.close() }
        try trial.equal(
          try trial.values(TopicPartition("fenced", 0)), ["old", "new", "other"], "records")
      },
    ])
}
