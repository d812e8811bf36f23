import StreamCore

/// How a time that Kafka cannot carry travels: the record goes with the earliest time that can be
/// sent and, as its last header, `timestamp` with the time in milliseconds as decimal text.
///
/// Kafka refuses times before 1970, and librdkafka takes 0 for "now", so the earliest is 1 ms.
enum HiddenTime {
  static let header = "timestamp"
  static let stand = Int64(1)

  static func isNeeded(_ time: Timestamp) -> Bool { time <= .epoch }

  /// The time in a header of a record that came with `time`; `nil` where it is another header.
  static func read(_ name: UnsafePointer<CChar>, _ value: UnsafeRawBufferPointer, time: Int64)
    -> Timestamp?
  {
    guard (0...stand).contains(time), unsafe String(cString: name) == header,
      let hidden = unsafe Int64(String(decoding: value, as: UTF8.self)), hidden <= 0
    else { return nil }
    return Timestamp(milliseconds: hidden)
  }
}
