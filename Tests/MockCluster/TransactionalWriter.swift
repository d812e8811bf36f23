import CRdKafka

/// Writes records in transactions, as other programs do: with their markers, a partition has
/// offsets that no reader is given.
public final class TransactionalWriter {
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  public enum Ending: Sendable { case commit, abort, leaveOpen }

  private let client: OpaquePointer

  public init(bootstrapServers: String, transactionalID: String) throws {
    let configuration = rd_kafka_conf_new()
    for (name, value) in [
      ("bootstrap.servers", bootstrapServers), ("transactional.id", transactionalID),
    ] { rd_kafka_conf_set(configuration, name, value, nil, 0) }
    guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0) else {
      throw Failure(description: "librdkafka gave no producer")
    }
    self.client = client
    try check(rd_kafka_init_transactions(client, 30_000))
  }

  deinit { rd_kafka_destroy(client) }

  /// One transaction with these values, each a record of the partition.
  public func write(
    _ values: [String], to topic: String, partition: Int, _ ending: Ending
  ) throws {
    try check(rd_kafka_begin_transaction(client))
    let handle = rd_kafka_topic_new(client, topic, nil)
    defer { rd_kafka_topic_destroy(handle) }
    for value in values {
      var bytes = Array(value.utf8)
      let status = rd_kafka_produce(
        handle, Int32(partition), RD_KAFKA_MSG_F_COPY, &bytes, bytes.count, nil, 0, nil)
      guard status == 0 else {
        throw Failure(
          description: "produce: \(String(cString: rd_kafka_err2str(rd_kafka_last_error())))")
      }
    }
    guard rd_kafka_flush(client, 30_000) == RD_KAFKA_RESP_ERR_NO_ERROR else {
      throw Failure(description: "the records were not delivered")
    }
    switch ending {
    case .commit: try check(rd_kafka_commit_transaction(client, 30_000))
    case .abort: try check(rd_kafka_abort_transaction(client, 30_000))
    case .leaveOpen: break
    }
  }

  private func check(_ error: OpaquePointer?) throws {
    guard let error else { return }
    defer { rd_kafka_error_destroy(error) }
    throw Failure(description: String(cString: rd_kafka_error_string(error)))
  }
}
