import EmbeddedLog
import Glibc
import StreamCore

// A process of its own for the embedded log's tests; it says on stdout what the log acknowledged.
//
//     LogWorker append DIR TOPIC NAME BATCH [COUNT]   appends NAME/0, NAME/1, … until COUNT or killed
//     LogWorker tail DIR TOPIC                        prints each record as it comes
//     LogWorker create DIR NAME ROUNDS                makes DIR/0, DIR/1, … and appends to each
//     LogWorker open DIR                              opens, reads everything, prints the outcome

func say(_ line: String) {
  let bytes = Array((line + "\n").utf8)
  var written = 0
  while written < bytes.count {
    let result = bytes[written...].withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
    guard result > 0 else { exit(0) }
    written += result
  }
}

func append(_ log: EmbeddedLog, _ topic: String, _ name: String, batch: Int, count: Int) throws {
  let appender = try log.makeAppender()
  var next = 0
  while next < count {
    let numbers = next..<min(next + batch, count)
    let records = numbers.map {
      ProducerRecord(
        key: nil, value: Array("\(name)/\($0)".utf8), timestamp: Timestamp(milliseconds: Int64($0)),
        partition: 0)
    }
    let results = try appender.append(records, to: topic)
    for (number, result) in zip(numbers, results) { say("\(number) \(result.offset)") }
    next = numbers.upperBound
  }
}

func tail(_ log: EmbeddedLog, _ topic: String) throws {
  let reader = try log.makeReader(ReaderOptions())
  try reader.assign([TopicPartition(topic, 0): 0])
  say("ready")
  while true {
    for batch in try reader.poll(timeout: .seconds(3_600)) {
      for index in 0..<batch.count {
        say(String(decoding: batch.record(at: index).value ?? [], as: UTF8.self))
      }
    }
  }
}

func readAll(_ log: EmbeddedLog) throws {
  var count = 0
  for topic in try log.topics() {
    for partition in 0..<topic.partitions {
      let place = TopicPartition(topic.name, partition)
      let reader = try log.makeReader(ReaderOptions())
      try reader.assign([place: try log.offsets(of: place).lowerBound])
      var isAtEnd = false
      while !isAtEnd {
        for batch in try reader.poll(timeout: .zero) {
          count += batch.count
          isAtEnd = batch.nextOffset == batch.endOffset
        }
      }
    }
  }
  say("read \(count)")
}

/// Others do the same at the same time.
func create(_ directory: String, _ name: String, rounds: Int) throws {
  for round in 0..<rounds {
    let log = try EmbeddedLog.open("\(directory)/\(round)/log", create: true)
    do {
      try log.createTopic("t", partitions: 1, retention: TopicRetention())
    } catch {
      // Another was faster.
      guard error.code == .topicExists else { throw error }
    }
    try append(log, "t", name, batch: 1, count: 1)
  }
}

let arguments = CommandLine.arguments
do {
  switch arguments[1] {
  case "append":
    try append(
      try EmbeddedLog.open(arguments[2], create: false), arguments[3], arguments[4],
      batch: Int(arguments[5]) ?? 1, count: arguments.count > 6 ? Int(arguments[6]) ?? 0 : .max)
  case "create": try create(arguments[2], arguments[3], rounds: Int(arguments[4]) ?? 0)
  case "tail": try tail(try EmbeddedLog.open(arguments[2], create: false), arguments[3])
  default: try readAll(try EmbeddedLog.open(arguments[2], create: true))
  }
} catch let error as LogError {
  say("error \(error)")
}
