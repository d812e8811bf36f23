import Glibc
import KafkaLog
import StreamCore
import Testing

@Suite("Reconnecting")
struct ReconnectTests {
  enum Client: CaseIterable { case reader, appender }

  /// Left to itself librdkafka doubles its pauses up to 10 s: the tenth connection then comes half a
  /// minute after the first, with ours after 3 s. A machine may be several times slower.
  @Test("a broker that is away is tried often, however long it is away", arguments: Client.allCases)
  func often(client: Client) throws {
    let broker = try ClosingBroker()
    let log = try KafkaLog.open(url: "kafka://127.0.0.1:\(broker.port)")
    defer { log.close() }
    let close: () -> Void
    switch client {
    case .reader: close = try log.makeReader(ReaderOptions()).close
    case .appender: close = try log.makeAppender().close
    }
    defer { close() }
    try broker.refuse()
    let begin = ContinuousClock.now
    for _ in 0..<9 { try broker.refuse() }
    #expect(ContinuousClock.now - begin < .seconds(15))
  }
}

/// A port on which connections are taken and closed at once.
private final class ClosingBroker {
  struct Failure: Error { let call: String }

  let port: UInt16
  private let listener: Int32

  init() throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    // A client that does not come fails the test.
    var patience = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(
      listener, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let listener = listener
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, size) == 0 && listen(listener, 8) == 0
          && getsockname(listener, address, &size) == 0
      }
    }
    port = UInt16(bigEndian: address.sin_port)
    guard isListening else { throw Failure(call: "listen") }
  }

  /// Waits for a connection and closes it.
  func refuse() throws {
    let connection = accept(listener, nil, nil)
    guard connection >= 0 else { throw Failure(call: "accept") }
    close(connection)
  }

  deinit { close(listener) }
}
