import Glibc
package import StateStore

/// The requests of one topology, as files of `STATE/TOPOLOGY/requests/`, seen from either side.
///
/// `ID.request` has a line for each field, `name<TAB>value`. Its asker renames it into place whole,
/// holds a lock on it until it has its answer, and removes it; so a request that nobody holds is of
/// no use to anyone, and is removed and not carried out. `ID.reply` is the answer.
package struct RequestQueue: Sendable {
  private let directory: String

  package init(_ state: StateDirectory) { directory = state.requests }

  // MARK: Asking

  /// Puts a request where the owner finds it.
  ///
  /// - Returns: what waits for the answer; letting go of it takes the request back.
  /// - Throws: ``StateStore/StoreError``.
  package func submit(_ request: Request) throws(StoreError) -> AskedRequest {
    try DurableFile.makeDirectory(directory)
    let path = "\(directory)/\(request.id).request"
    let temporary = path + ".new"
    // A reply to an earlier one of this id is not the answer to this one.
    unlink("\(directory)/\(request.id).reply")
    let asked = AskedRequest(request.id, in: directory, try Self.lock(temporary))
    let lines =
      ["verb\t\(request.verb)"]
      + request.arguments.sorted { $0.key < $1.key }.map { "argument.\($0.key)\t\($0.value)" }
    try DurableFile.write(
      Array((lines.joined(separator: "\n") + "\n").utf8), to: asked.file, temporary)
    guard rename(temporary, path) == 0 else { throw DurableFile.failure("rename", temporary) }
    try DurableFile.syncDirectory(of: path)
    return asked
  }

  /// A new file with our lock on it.
  ///
  /// Until it is locked it looks like one that was left, and may be removed as such: then another one
  /// is made.
  private static func lock(_ path: String) throws(StoreError) -> Int32 {
    while true {
      let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
      guard file >= 0 else { throw DurableFile.failure("create", path) }
      guard flock(file, LOCK_EX) == 0 else {
        let failure = DurableFile.failure("lock", path)
        close(file)
        throw failure
      }
      var (ours, there) = (stat(), stat())
      if unsafe fstat(file, &ours) == 0, unsafe stat(path, &there) == 0,
        ours.st_ino == there.st_ino
      {
        return file
      }
      close(file)
    }
  }

  // MARK: Answering

  /// What lies in the directory.
  package enum Entry: Hashable, Sendable {
    /// Somebody waits for its answer.
    case waiting(Request)
    /// It was answered, and the asker has not read that yet.
    case answered(id: String)
    /// It cannot be read: passed over.
    case unreadable(name: String, why: String)
  }

  /// All requests by id; leftovers of those that nobody holds are removed.
  ///
  /// - Throws: ``StateStore/StoreError`` where the directory cannot be listed.
  package func entries() throws(StoreError) -> [Entry] {
    let names = try StateDirectory.entries(directory)
    var entries: [Entry] = []
    for name in names.sorted() {
      let path = "\(directory)/\(name)"
      if name.hasSuffix(".request.new") {
        _ = Self.holder(of: path, removing: true)
      } else if name.hasSuffix(".request") {
        let id = String(name.dropLast(".request".count))
        switch Self.holder(of: path, removing: true) {
        case .abandoned: unlink("\(directory)/\(id).reply")
        case .unknown(let why): entries.append(.unreadable(name: name, why: why))
        case .held: if let entry = entry(id, path) { entries.append(entry) }
        }
      } else if name.hasSuffix(".reply") || name.hasSuffix(".reply.new") {
        let request = name.replacing(/\.reply(\.new)?$/, with: ".request")
        if !names.contains(request) { unlink(path) }
      }
    }
    return entries
  }

  private func entry(_ id: String, _ path: String) -> Entry? {
    do {
      let reply = try DurableFile.read("\(directory)/\(id).reply").map(Self.reply)
      if let reply, reply.outcome != .running { return .answered(id: id) }
      guard let text = try DurableFile.read(path) else { return nil }
      let fields = Self.fields(text)
      guard let verb = fields["verb"] else {
        return .unreadable(name: "\(id).request", why: "it names no verb")
      }
      let arguments = fields.filter { $0.key.hasPrefix("argument.") }
        .map { (String($0.key.dropFirst("argument.".count)), $0.value) }
      return .waiting(
        Request(
          id: id, verb: verb,
          arguments: Dictionary(arguments, uniquingKeysWith: { first, _ in first })))
    } catch {
      return .unreadable(name: "\(id).request", why: "\(error)")
    }
  }

  private enum Holder {
    case held, abandoned
    case unknown(String)
  }

  /// Whether an asker holds the lock on its file.
  ///
  /// - Parameter removing: removes one that nobody holds, while nobody can take it.
  private static func holder(of path: String, removing: Bool = false) -> Holder {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else {
      return errno == ENOENT
        ? .abandoned : .unknown("\(DurableFile.failure("read", path))")
    }
    defer { close(file) }
    var status = stat()
    guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      return .unknown("it is no file")
    }
    guard flock(file, LOCK_SH | LOCK_NB) == 0 else { return .held }
    if removing { unlink(path) }
    return .abandoned
  }

  /// Whether somebody still waits for the answer.
  package func isHeld(_ id: String) -> Bool {
    if case .held = Self.holder(of: "\(directory)/\(id).request") { return true }
    return false
  }

  /// Answers a request, or says how far it is; the asker removes both.
  ///
  /// - Throws: ``StateStore/StoreError``.
  package func answer(_ id: String, _ reply: Reply) throws(StoreError) {
    let message = reply.message.split(separator: "\n").joined(separator: " ")
    try DurableFile.write(
      "outcome\t\(reply.outcome.rawValue)\nmessage\t\(message)\n", to: "\(directory)/\(id).reply")
    // One who has gone meanwhile reads nothing.
    if access("\(directory)/\(id).request", F_OK) != 0 { unlink("\(directory)/\(id).reply") }
  }

  fileprivate static func reply(_ text: String) -> Reply {
    let fields = fields(text)
    return Reply(
      fields["outcome"].flatMap(Reply.Outcome.init(rawValue:)) ?? .failed,
      fields["message"] ?? "the owner's answer cannot be read")
  }

  private static func fields(_ text: String) -> [String: String] {
    let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
      guard let tab = line.firstIndex(of: "\t") else { return nil }
      return (String(line[..<tab]), String(line[tab...].dropFirst()))
    }
    return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
  }
}

/// A request as its asker holds it: while this lives, somebody waits for the answer.
package final class AskedRequest: Sendable {
  package let id: String
  private let directory: String
  fileprivate let file: Int32

  fileprivate init(_ id: String, in directory: String, _ file: Int32) {
    self.id = id
    self.directory = directory
    self.file = file
  }

  deinit {
    // First the files, then the lock: the owner finds a held one, or none.
    unlink("\(directory)/\(id).request.new")
    unlink("\(directory)/\(id).request")
    unlink("\(directory)/\(id).reply")
    // A child process that is just being started may have the file too; the lock ends now.
    flock(file, LOCK_UN)
    close(file)
  }

  /// What the owner says: how far it is, or the answer, which stays the same then.
  ///
  /// - Throws: ``StateStore/StoreError``.
  package func reply() throws(StoreError) -> Reply? {
    try DurableFile.read("\(directory)/\(id).reply").map(RequestQueue.reply)
  }

  /// The answer, once it is there.
  ///
  /// - Throws: ``StateStore/StoreError``.
  package func answer() throws(StoreError) -> Reply? {
    guard let reply = try reply(), reply.outcome != .running else { return nil }
    return reply
  }
}
