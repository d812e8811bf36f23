import Foundation
import KafkaLog
import MockCluster
import StreamCore
import Synchronization
import Testing
import TopologyTesting

/// Mock clusters by the URL of the log on them: topics are made behind the log's back.
private let clusters = Mutex<[String: MockCluster]>([:])

@Suite("The contract of logs")
struct ConformanceTests {
  /// The mock has neither topic administration nor a request that deletes group offsets; what it
  /// has of groups is tested in ``KafkaLogTests``.
  @Test("on librdkafka's mock", arguments: LogConformance.base.flatMap { $0.cases })
  func mock(_ rule: ConformanceCase) throws {
    let cluster = try MockCluster()
    clusters.withLock { $0[cluster.url] = cluster }
    defer { clusters.withLock { $0[cluster.url] = nil } }
    let url = cluster.url
    var log = LogUnderTest {
      try KafkaLog.open(url: url)
    } createTopic: { log, name, partitions in
      try clusters.withLock { try $0[log.url]?.createTopic(name, partitions: partitions) }
    }
    log.reportsOffsetsForTimes = false
    log.keepsAppendTimes = false
    log.deliversInTurn = false
    try rule.run(on: log)
  }
}
