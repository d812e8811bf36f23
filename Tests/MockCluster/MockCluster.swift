import CRdKafka
import Dispatch

/// Librdkafka's mock of a Kafka cluster, in this process and in memory.
///
/// It keeps about 5 MB a partition and loses what is older, isolates no transactions, knows no
/// administration and no offsets for times, and creates a topic that is asked for by name.
///
/// `@unchecked Sendable`: the pointers are set once and librdkafka's mock functions are
/// thread-safe; the cluster ends when nobody refers to it any more.
public final class MockCluster: @unchecked Sendable {
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  private let client: OpaquePointer
  private let cluster: OpaquePointer
  private let brokers: Int

  public init(brokers: Int = 1) throws {
    let configuration = rd_kafka_conf_new()
    // Broker connections that tests break on purpose are no news.
    rd_kafka_conf_set_log_cb(configuration) { _, _, _, _ in }
    guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0),
      let cluster = rd_kafka_mock_cluster_new(client, Int32(brokers))
    else { throw Failure(description: "librdkafka gave no mock cluster") }
    self.client = client
    self.cluster = cluster
    self.brokers = brokers
  }

  /// Librdkafka waits a second for one of the cluster's threads; no test waits for that.
  deinit {
    let ended = Ended(cluster: cluster, client: client)
    DispatchQueue.global().async { ended.destroy() }
  }

  /// What nobody refers to any more.
  private struct Ended: @unchecked Sendable {
    let cluster: OpaquePointer
    let client: OpaquePointer

    func destroy() {
      rd_kafka_mock_cluster_destroy(cluster)
      rd_kafka_destroy(client)
    }
  }

  /// `host:port[,host:port]`.
  public var bootstrapServers: String {
    String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
  }
  public var url: String { "kafka://\(bootstrapServers)" }

  public func createTopic(_ name: String, partitions: Int) throws {
    let error = rd_kafka_mock_topic_create(cluster, name, Int32(partitions), 1)
    guard error == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw Failure(description: "topic \(name): \(String(cString: rd_kafka_err2str(error)))")
    }
  }

  /// Brokers close their connections and refuse new ones while they are down.
  public func setBrokers(up: Bool) {
    for broker in 1...Int32(brokers) {
      _ =
        up
        ? rd_kafka_mock_broker_set_up(cluster, broker)
        : rd_kafka_mock_broker_set_down(cluster, broker)
    }
  }

  /// Requests of Kafka's protocol that can be made to fail.
  public enum Request: Int16, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case offsetCommit = 8
    case offsetFetch = 9
    case findCoordinator = 10
  }

  /// The next requests of that kind get these broker errors, one each, by their protocol numbers.
  public func fail(_ request: Request, with errors: [Int32]) {
    var codes = errors.map { rd_kafka_resp_err_t($0) }
    rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, codes.count, &codes)
  }
}
