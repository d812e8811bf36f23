import StreamCore

extension LogConformance {
  /// When the log took a record, and what it removes by that.
  public static let times = ConformanceSuite(
    name: "times",
    cases: [
      ConformanceCase("a batch says when the log took each record") { trial in
        try trial.topic("taken")
        let partition = TopicPartition("taken", 0)
        let recordTimes: [Int64] = [1_767_603_600_000, 4_000_000_000_000, 1_000, 1_767_603_600_001]
        var wanted: [Timestamp?] = []
        for (index, time) in recordTimes.enumerated() {
          let now = Timestamp(milliseconds: 1_767_603_700_000 + Int64(index / 2) * 5_000)
          try trial.setup.setTime?(trial.log, now)
          _ = try trial.append([trial.record("\(index)", partition: 0, at: time)], to: "taken")
          wanted.append(
            trial.setup.keepsAppendTimes ? now : Timestamp(milliseconds: time))
        }
        // From each record on, so that runs begin in the middle too.
        let first = try trial.log.offsets(of: partition).lowerBound
        let all = try trial.contents(partition)[partition, default: []].map { $0.offset }
        for (skipped, offset) in ([first] + all.dropFirst()).enumerated() {
          let reader = try trial.reader([partition: offset], ReaderOptions(batchRecordsMax: 3))
          defer { reader.close() }
          var found: [Timestamp?] = []
          while found.count < wanted.count - skipped {
            for batch in try trial.poll(reader, "records") {
              try trial.check(batch)
              found += (0..<batch.count).map { batch.appendTime(of: $0) }
              if batch.count > 1 {
                let rest = batch.dropping(first: 1)
                try trial.equal(
                  rest.appendTime(of: 0), batch.appendTime(of: 1), "the batch without its first")
              }
            }
          }
          guard trial.setup.setTime != nil || !trial.setup.keepsAppendTimes else {
            try trial.expect(found.allSatisfy { $0 != nil }, "each record was taken at some time")
            continue
          }
          try trial.equal(found, Array(wanted[skipped...]), "times from record \(skipped) on")
        }
      },
      ConformanceCase("a record whose own time says nothing was taken at no known time") { trial in
        guard !trial.setup.keepsAppendTimes else { return }
        try trial.topic("timeless")
        let partition = TopicPartition("timeless", 0)
        let times: [Int64] = trial.setup.keepsNegativeTimestamps ? [0, -5_000] : [0]
        _ = try trial.append(
          times.map { trial.record("v", partition: 0, at: $0) }, to: "timeless")
        let reader = try trial.reader([partition: 0])
        defer { reader.close() }
        var count = 0
        while count < times.count {
          for batch in try trial.poll(reader, "records") {
            for index in 0..<batch.count {
              try trial.equal(batch.appendTime(of: index), nil, "when it was taken")
            }
            count += batch.count
          }
        }
      },
      ConformanceCase("retention by time goes by when the log took a record") { trial in
        guard let setTime = trial.setup.setTime, let apply = trial.setup.applyRetention,
          let administration = trial.log.administration
        else { return }
        try administration.createTopic(
          "aging", partitions: 1, retention: TopicRetention(time: .seconds(60)))
        let partition = TopicPartition("aging", 0)
        let begin: Int64 = 1_767_603_600_000
        // Records of the far future and of long ago among the others: neither ages anything.
        let recordTimes: [Int64] = [begin, begin * 1_000, 1, begin]
        var offsets: [Offset] = []
        for (index, time) in recordTimes.enumerated() {
          try setTime(trial.log, Timestamp(milliseconds: begin + Int64(index) * 10_000))
          offsets += try trial.append(
            [trial.record("\(index)", partition: 0, at: time)], to: "aging"
          ).map { $0.offset }
          try trial.equal(
            try trial.log.offsets(of: partition).lowerBound, offsets[0], "nothing is old yet")
        }
        let end = try trial.log.offsets(of: partition).upperBound
        // One goes when it is older than 60 s, not at 60 s.
        for (seconds, start): (Int64, Offset) in [
          (60, offsets[0]), (61, offsets[1]), (70, offsets[1]), (71, offsets[2]),
          (81, offsets[3]), (90, offsets[3]), (91, end),
        ] {
          try setTime(trial.log, Timestamp(milliseconds: begin + seconds * 1_000))
          try apply(trial.log)
          try trial.equal(
            try trial.log.offsets(of: partition), start..<end, "offsets after \(seconds) s")
        }
        // A clock set back removes nothing, and what is taken then ages from then on.
        try setTime(trial.log, Timestamp(milliseconds: begin))
        offsets += try trial.append([trial.record("late", partition: 0)], to: "aging").map {
          $0.offset
        }
        try apply(trial.log)
        try trial.equal(try trial.log.offsets(of: partition).lowerBound, offsets[4], "start")
      },
    ])
}
