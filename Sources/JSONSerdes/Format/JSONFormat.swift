public import StreamCore

/// JSON as a source's payload format.
public struct JSONFormat: DocumentFormat {
  public init() {}
  public var name: String { "json" }
  public func makeReader(paths: [[String]]) -> JSONReader { JSONReader(paths: paths) }

  public var emptyDocument: [UInt8] { Array("{}".utf8) }
}

/// Finds declared fields of one JSON document after another, and lends it to decoders.
@safe public final class JSONReader: DocumentReader {
  public typealias Document = JSONView
  @usableFromInline let parser = JSONParser()
  private let plan: PathPlan
  // Behind pointers, because each access to a variable of a class is checked at run time.
  @usableFromInline let fields: UnsafeMutablePointer<[FieldSlot]>
  /// Structural index of each declared value; -1 where it is absent.
  private let places: UnsafeMutableBufferPointer<Int32>

  /// - Parameter paths: names from the root down; an empty path is the root itself.
  public init(paths: [[String]]) {
    plan = PathPlan(paths)
    unsafe fields = .allocate(capacity: 1)
    unsafe fields.initialize(to: Array(repeating: .absent, count: paths.count))
    unsafe places = .allocate(capacity: paths.count)
    unsafe places.initialize(repeating: -1)
  }

  deinit {
    unsafe fields.deinitialize(count: 1)
    unsafe fields.deallocate()
    unsafe places.deallocate()
  }

  @inlinable
  public func withDocument<Result>(
    _ bytes: RawSpan, _ body: (_ root: JSONView, _ fields: [FieldSlot]) throws -> Result
  ) throws -> Result {
    try parser.withDocument(bytes) { root in
      findFields()
      return try body(root, unsafe fields.pointee)
    }
  }

  public func document(atPath index: Int) -> JSONView? {
    let place = unsafe Int(places[index])
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
    unsafe fields.pointee.withUnsafeMutableBufferPointer { fields in
      let search = unsafe FieldSearch(
        state: parser.state, plan: plan.tables, fields: fields, places: places,
        rootSlot: plan.rootSlot)
      search.run()
      if !plan.copies.isEmpty { search.copy(plan.copies) }
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
