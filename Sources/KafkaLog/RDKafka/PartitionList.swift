import CRdKafka
import StreamCore

/// Librdkafka's list of partitions with offsets.
@safe struct PartitionList: ~Copyable {
  let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

  init(_ partitions: some Sequence<(TopicPartition, Offset)>) {
    // SAFETY: librdkafka aborts rather than answer without memory.
    unsafe pointer = rd_kafka_topic_partition_list_new(8).unsafelyUnwrapped
    for (partition, offset) in partitions {
      let added = unsafe rd_kafka_topic_partition_list_add(
        pointer, partition.topic, Int32(partition.partition))
      unsafe added?.pointee.offset = offset
    }
  }

  deinit { unsafe rd_kafka_topic_partition_list_destroy(pointer) }

  var count: Int { unsafe Int(pointer.pointee.cnt) }

  subscript(index: Int) -> (TopicPartition, offset: Offset, error: rd_kafka_resp_err_t) {
    precondition(index < count)
    let element = unsafe pointer.pointee.elems[index]
    return unsafe (
      TopicPartition(String(cString: element.topic), Int(element.partition)), element.offset,
      element.err
    )
  }
}
