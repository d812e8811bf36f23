import CLMDB
import Glibc

/// A failed operation of a store: `code` is for the program, the rest for the reader of the log.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What a program may act on; a struct, so that a code added later breaks no caller's `switch`.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    private let name: String
    private init(_ name: String) { self.name = name }
    public var description: String { name }
    /// There is no such environment or store.
    public static let missing = Code("missing")
    /// A page, an entry or the whole file fails its checks: restore a snapshot or rebuild.
    public static let corrupted = Code("corrupted")
    /// Written by a later version of the program.
    public static let newer = Code("newer")
    /// Written by an earlier version of the program, in a form that this one does not read.
    public static let older = Code("older")
    /// The state of another topology, sub-topology, partition or partition count.
    public static let foreign = Code("foreign")
    /// The state of another lineage of the same topology: the message says what changed, per store.
    public static let lineageChanged = Code("lineageChanged")
    /// Another holder has it open.
    public static let locked = Code("locked")
    /// No free page is left in the map and it could not be grown.
    public static let mapFull = Code("mapFull")
    /// The disk, or the limit on a file's size, is used up; what is cached stays and may be retried.
    public static let diskFull = Code("diskFull")
    /// The directory, or its lock file, cannot be written by this process.
    public static let readOnly = Code("readOnly")
    /// All reader slots of the environment are taken.
    public static let readersFull = Code("readersFull")
    /// This process has as many files open as it may.
    public static let filesFull = Code("filesFull")
    /// More tables are wanted than the environment was opened for.
    static let tablesFull = Code("tablesFull")
    /// What was spilled of this interval is gone with its transaction: abort it and take its
    /// records again.
    public static let intervalLost = Code("intervalLost")
    /// The copy was ended by its ``CopyCancellation``; nothing is left of it.
    public static let cancelled = Code("cancelled")
    /// An argument that came from outside (a key's text, a cursor, a name) is not valid.
    public static let invalid = Code("invalid")
    /// Anything else that LMDB or the system reports.
    public static let failed = Code("failed")
  }

  public let code: Code
  /// The operation, its cause and what to do, with names and sizes; never record contents.
  public let message: String
  /// The store's name, or the environment's directory.
  public let store: String

  public init(_ code: Code, _ message: String, store: String) {
    self.code = code
    self.message = message
    self.store = store
  }

  public var description: String { "\(message) (\(store))" }

  /// The error for a result of LMDB, which is one of its own or an `errno`.
  init(lmdb result: Int32, _ operation: String, store: String) {
    let cause = unsafe String(cString: mdb_strerror(result))
    switch result {
    case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID, MDB_BAD_VALSIZE, MDB_INCOMPATIBLE:
      self.init(
        .corrupted, "\(operation): \(cause); restore a snapshot or rebuild the state",
        store: store)
    case MDB_VERSION_MISMATCH:
      self.init(
        .newer, "\(operation): \(cause); open it with the program's version that wrote it",
        store: store)
    case MDB_MAP_FULL:
      self.init(.mapFull, "\(operation): the map is full; open it with a larger one", store: store)
    case ENOSPC, EDQUOT:
      self.init(.diskFull, "\(operation): \(cause); free space, then repeat", store: store)
    case EFBIG:
      self.init(
        .diskFull,
        "\(operation): \(cause); raise the limit on a file's size (ulimit -f), then repeat",
        store: store)
    case EIO:
      self.init(
        .failed,
        "\(operation): \(cause); see in the system's log what the disk reports, then start again",
        store: store)
    case EACCES, EROFS, EPERM:
      self.init(
        .readOnly,
        "\(operation): \(cause); its lock file must be writable here: make the directory writable, "
          + "ask the process that owns it over HTTP, or read a copy made by a snapshot",
        store: store)
    case MDB_READERS_FULL:
      self.init(
        .readersFull, "\(operation): \(cause); end readers, or clear those of dead processes",
        store: store)
    case EMFILE, ENFILE:
      self.init(
        .filesFull,
        "\(operation): \(cause); raise the limit on open files (ulimit -n, LimitNOFILE=)",
        store: store)
    case MDB_DBS_FULL:
      self.init(.tablesFull, "\(operation): \(cause)", store: store)
    case ENOENT:
      self.init(.missing, "\(operation): \(cause)", store: store)
    case EAGAIN, EBUSY:
      self.init(.locked, "\(operation): \(cause); stop the process that holds it", store: store)
    case ENOMEM:
      self.init(
        .failed,
        "\(operation): \(cause); raise the limit on address space (ulimit -v) or lower the map size",
        store: store)
    default:
      self.init(.failed, "\(operation): \(cause)", store: store)
    }
  }
}
