import StreamCore
import Testing

@Suite("Partitioner and plain serdes")
struct PartitionerTests {
  /// kafka/clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2.
  @Test(
    "murmur2 is Kafka's",
    arguments: [
      ("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
      ("a-little-bit-longer-string", -1_486_304_829),
      ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971), ("abc", 479_470_107),
    ] as [(String, Int32)])
  func murmur(key: String, hash: Int32) {
    let bytes = Array(key.utf8)
    #expect(Int32(bitPattern: murmur2(bytes.span.bytes)) == hash)
    #expect(partition(forKey: bytes, count: 12) == Int(hash & 0x7fff_ffff) % 12)
    #expect(partition(forKey: bytes, count: 1) == 0)
  }

  @Test("the empty key has a partition too")
  func emptyKey() {
    #expect(Int32(bitPattern: murmur2([UInt8]().span.bytes)) == 275_646_681)
  }

  @Test("plain serdes read what they wrote and refuse the rest")
  func serdes() throws {
    var bytes: [UInt8] = []
    try StringSerde().serialize("größe", into: &bytes)
    #expect(try StringSerde().deserialize(bytes.span.bytes) == "größe")
    let invalid: [UInt8] = [0xff]
    #expect(throws: SerdeError.self) { try StringSerde().deserialize(invalid.span.bytes) }
    bytes = []
    try Int64Serde().serialize(-2, into: &bytes)
    #expect(bytes == [255, 255, 255, 255, 255, 255, 255, 254])
    #expect(try Int64Serde().deserialize(bytes.span.bytes) == -2)
    #expect(throws: SerdeError.self) { try Int64Serde().deserialize(invalid.span.bytes) }
    var copy: [UInt8] = []
    try BytesSerde().serialize([0, 255], into: &copy)
    #expect(try BytesSerde().deserialize(copy.span.bytes) == [0, 255])
  }
}
