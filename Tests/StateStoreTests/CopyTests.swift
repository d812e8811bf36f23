import Foundation
import StateStore
import Synchronization
import Testing

@Suite struct CopyTests {
  private let directory = TemporaryDirectory()

  @Test("a copy that is cancelled ends before it is done and leaves nothing; others are whole")
  func cancelledCopy() throws {
    let environment = try Environment.open(directory.path)
    let table = try environment.table("t")
    let write = try WriteTransaction(environment)
    for number in 0..<8_000 {
      let key = [UInt8(number >> 8), UInt8(number & 255)]
      try write.operations.put(
        table, key.span.bytes, [UInt8](repeating: 7, count: 4_000).span.bytes)
    }
    try write.commit()
    let copies = TemporaryDirectory()
    try FileManager.default.createDirectory(
      atPath: copies.path, withIntermediateDirectories: true)
    func names() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: copies.path)
    }

    let early = CopyCancellation()
    early.cancel()
    let error = #expect(throws: StoreError.self) {
      try environment.snapshot(to: copies.path + "/early", cancellation: early)
    }
    #expect(error?.code == .cancelled)
    #expect(try names() == [])

    try environment.snapshot(to: copies.path + "/whole")
    let bytes = try FileHandle(
      forReadingFrom: URL(fileURLWithPath: copies.path + "/whole/data.mdb")
    ).seekToEnd()
    // Where a copy was done before this thread saw that it had begun, another is made.
    var wereCut = 0
    for attempt in 0..<200 where wereCut == 0 {
      let cancellation = CopyCancellation()
      let outcome = Mutex<Result<Void, any Error>?>(nil)
      let target = "\(copies.path)/\(attempt)"
      Thread.detachNewThread {
        let result = Result { try environment.snapshot(to: target, cancellation: cancellation) }
        outcome.withLock { $0 = result }
      }
      // Held open, it says at the end how much was written.
      var partial: FileHandle?
      while outcome.withLock({ $0 == nil }) {
        partial =
          partial ?? FileHandle(forReadingAtPath: "\(target).\(getpid()).partial/data.mdb")
        if try partial?.seekToEnd() ?? 0 > 0 { cancellation.cancel() }
      }
      guard case .failure(let error) = outcome.withLock({ $0 }) else { continue }
      #expect((error as? StoreError)?.code == .cancelled)
      #expect(try !names().contains { $0.hasPrefix("\(attempt)") })
      if let partial, try partial.seekToEnd() < bytes { wereCut += 1 }
    }
    #expect(wereCut == 1)
    let copy = try Environment.open(copies.path + "/whole", .init(create: false))
    let copied = try copy.table("t")
    let read = try ReadTransaction(copy)
    #expect(try read.operations.count(copied) == 8_000)
  }
}
