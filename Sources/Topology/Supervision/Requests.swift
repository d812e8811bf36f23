import Glibc
package import StateStore
package import StreamCore

/// A command for the process that runs a topology, as a file of `STATE/TOPOLOGY/requests/`.
///
/// A file is a line for each field, `name<TAB>value`: it is renamed into place whole, answered by
/// a file of the same id, and carried out at most once.
package struct Request: Hashable, Sendable {
  package let id: String
  package let verb: String
  package let arguments: [String: String]
  /// After it the request is answered as expired, not carried out.
  package let deadline: Timestamp

  package init(id: String, verb: String, arguments: [String: String], deadline: Timestamp) {
    self.id = id
    self.verb = verb
    self.arguments = arguments
    self.deadline = deadline
  }
}

/// What became of a request.
package struct Reply: Hashable, Sendable {
  package let succeeded: Bool
  /// A line for people: what was done, or what went wrong and what to do.
  package let message: String

  package init(succeeded: Bool, message: String) {
    self.succeeded = succeeded
    self.message = message
  }
}

/// The requests of one topology, seen from either side.
package struct RequestQueue: Sendable {
  private let directory: String

  package init(_ state: StateDirectory) { directory = state.requests }

  // MARK: Asking

  /// Puts a request where the owner finds it.
  ///
  /// - Throws: ``StateStore/StoreError``.
  package func submit(_ request: Request) throws(StoreError) {
    try DurableFile.makeDirectory(directory)
    var lines = ["verb\t\(request.verb)", "deadline\t\(request.deadline.milliseconds)"]
    lines += request.arguments.sorted { $0.key < $1.key }.map { "argument.\($0.key)\t\($0.value)" }
    try DurableFile.write(
      lines.joined(separator: "\n") + "\n", to: "\(directory)/\(request.id).request")
  }

  /// The answer, once it is there and its request is gone; reading it removes it.
  ///
  /// Whoever answers removes the request last: were its id used again before that, the new request
  /// would be removed in the old one's place.
  package func takeReply(_ id: String) throws(StoreError) -> Reply? {
    guard access("\(directory)/\(id).request", F_OK) != 0 else { return nil }
    let path = "\(directory)/\(id).reply"
    guard let text = try DurableFile.read(path) else { return nil }
    unlink(path)
    let fields = Self.fields(text)
    return Reply(succeeded: fields["succeeded"] == "true", message: fields["message"] ?? "")
  }

  /// Takes a request back that nobody answered.
  package func withdraw(_ id: String) { unlink("\(directory)/\(id).request") }

  // MARK: Answering

  /// The waiting requests, oldest id first.
  package func pending() throws(StoreError) -> [Request] {
    let names = try StateDirectory.entries(directory).filter { $0.hasSuffix(".request") }.sorted()
    var requests: [Request] = []
    for name in names {
      guard let text = try DurableFile.read("\(directory)/\(name)") else { continue }
      let fields = Self.fields(text)
      let arguments = fields.filter { $0.key.hasPrefix("argument.") }
        .map { (String($0.key.dropFirst("argument.".count)), $0.value) }
      requests.append(
        Request(
          id: String(name.dropLast(".request".count)), verb: fields["verb"] ?? "",
          arguments: Dictionary(arguments, uniquingKeysWith: { first, _ in first }),
          deadline: Timestamp(milliseconds: Int64(fields["deadline"] ?? "") ?? 0)))
    }
    return requests
  }

  package func answer(_ id: String, _ reply: Reply) throws(StoreError) {
    let message = reply.message.split(separator: "\n").joined(separator: " ")
    try DurableFile.write(
      "succeeded\t\(reply.succeeded)\nmessage\t\(message)\n", to: "\(directory)/\(id).reply")
    unlink("\(directory)/\(id).request")
  }

  private static func fields(_ text: String) -> [String: String] {
    let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
      guard let tab = line.firstIndex(of: "\t") else { return nil }
      return (String(line[..<tab]), String(line[tab...].dropFirst()))
    }
    return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
  }
}
