/// A failed operation of a log.
public struct LogError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What a program may act on; a struct, so that a code added later breaks no caller's `switch`.
  public struct Code: Hashable, Sendable {
    private let name: String
    private init(_ name: String) { self.name = name }
    /// Broker, directory or network cannot be reached, or refused us.
    public static let unreachable = Code("unreachable")
    /// There is no such topic.
    public static let topicMissing = Code("topicMissing")
    /// There is no such partition.
    public static let partitionMissing = Code("partitionMissing")
    /// The topic exists already.
    public static let topicExists = Code("topicExists")
    /// The position lies outside the log: its records were removed, or never were.
    public static let offsetOutOfRange = Code("offsetOutOfRange")
    /// A record is larger, or its time or name is other than the log allows.
    public static let recordRejected = Code("recordRejected")
    /// A newer holder of the transactional id or producer id has taken over.
    public static let fenced = Code("fenced")
    /// The expected sequence is not the current one; nothing was appended.
    public static let sequenceConflict = Code("sequenceConflict")
    /// The log's storage is damaged or of a newer format.
    public static let corrupt = Code("corrupt")
    /// The log's disk is full.
    public static let diskFull = Code("diskFull")
    /// This log cannot do it; the message says what can.
    public static let unsupported = Code("unsupported")
    /// An option, URL or name is not valid.
    public static let invalid = Code("invalid")
    /// Anything else the backend reports.
    public static let failed = Code("failed")
  }

  public let code: Code
  /// What happened, with names and sizes, and what to do; never record contents.
  public let message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
