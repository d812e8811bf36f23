public import StreamCore

/// JSON as a source's payload format.
public struct JSONFormat: DocumentFormat {
  public init() {}
  public var name: String { "json" }
  public func makeReader(paths: [[String]]) -> JSONReader { JSONReader(paths: paths) }
}

/// Finds declared fields of one JSON document after another, and lends it to decoders.
public final class JSONReader: DocumentReader {
  public typealias Document = JSONView
  @usableFromInline let parser = JSONParser()
  private let plan: PathPlan
  @usableFromInline var fields: [FieldSlot]
  /// Structural index of each declared value; -1 where it is absent.
  private var places: [Int]

  /// - Parameter paths: names from the root down; an empty path is the root itself.
  public init(paths: [[String]]) {
    plan = PathPlan(paths)
    fields = Array(repeating: .absent, count: paths.count)
    places = Array(repeating: -1, count: paths.count)
  }

  @inlinable
  public func withDocument<Result>(
    _ bytes: RawSpan, _ body: (_ root: JSONView, _ fields: [FieldSlot]) throws -> Result
  ) throws -> Result {
    try parser.withDocument(bytes) { root in
      findFields()
      return try body(root, fields)
    }
  }

  public func document(atPath index: Int) -> JSONView? {
    let place = places[index]
    guard place >= 0, parser.isBusy else { return nil }
    return unsafe JSONView(state: parser.state, index: place)
  }

  public func text(_ slot: FieldSlot) -> String {
    let bytes = unsafe parser.state.pointee.slice(slot.range)
    return unsafe slot.hasEscapes
      ? EscapedText.string(bytes) : String(decoding: bytes, as: UTF8.self)
  }

  @usableFromInline
  func findFields() {
    unsafe fields.withUnsafeMutableBufferPointer { fields in
      unsafe places.withUnsafeMutableBufferPointer { places in
        unsafe FieldSearch(state: parser.state, plan: plan, fields: fields, places: places).run()
      }
    }
  }
}

extension JSONParser {
  @usableFromInline var isBusy: Bool { unsafe state.pointee.isBusy }
}

extension ParseState {
  /// Bytes of the text of the current parse.
  func slice(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
    let length = unsafe Int(indexes[Int(count)])
    precondition(isBusy && range.upperBound <= length, "a slot is read inside the closure")
    return unsafe UnsafeBufferPointer(start: source + range.lowerBound, count: range.count)
  }
}
