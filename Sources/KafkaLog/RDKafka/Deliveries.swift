import CRdKafka
import Glibc
import StreamCore

/// The delivery reports that one append waits for.
///
/// `@unchecked Sendable`: each report is written by librdkafka's callback, once, before it counts
/// down under the mutex, and read by the appending thread after the count reached zero.
@safe final class Deliveries: @unchecked Sendable {
  struct Report {
    var error = RD_KAFKA_RESP_ERR_NO_ERROR
    var partition = Int32(0)
    var offset = Offset(0)
    /// The waiting ``Deliveries``, alive until every report came.
    unowned(unsafe) let owner: Deliveries
  }

  let count: Int
  private let reports: UnsafeMutablePointer<Report>
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var outstanding = 0

  init(count: Int) {
    self.count = count
    unsafe reports = .allocate(capacity: count)
    unsafe mutex = .allocate(capacity: 1)
    unsafe condition = .allocate(capacity: 1)
    unsafe pthread_mutex_init(mutex, nil)
    unsafe pthread_cond_init(condition, nil)
    for index in 0..<count { unsafe (reports + index).initialize(to: Report(owner: self)) }
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe pthread_mutex_destroy(mutex)
    unsafe condition.deallocate()
    unsafe mutex.deallocate()
    unsafe reports.deinitialize(count: count)
    unsafe reports.deallocate()
  }

  /// What goes with the record at `index` and comes back with its report.
  func slot(_ index: Int) -> UnsafeMutableRawPointer {
    unsafe UnsafeMutableRawPointer(reports + index)
  }

  subscript(index: Int) -> (error: rd_kafka_resp_err_t, partition: Int, offset: Offset) {
    precondition(index < count)
    let report = unsafe reports[index]
    return (report.error, Int(report.partition), report.offset)
  }

  /// One more record is about to be sent.
  func expectOne() { count(by: 1) }
  /// It was not sent after all.
  func expectOneLess() { count(by: -1) }

  private func count(by change: Int) {
    unsafe pthread_mutex_lock(mutex)
    outstanding += change
    if outstanding == 0 { unsafe pthread_cond_broadcast(condition) }
    unsafe pthread_mutex_unlock(mutex)
  }

  /// - Returns: whether all reports are there.
  func wait(atMost limit: Duration) -> Bool {
    var deadline = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &deadline)
    let nanoseconds = deadline.tv_nsec + Int(limit.millisecondsForC) * 1_000_000
    deadline.tv_sec += nanoseconds / 1_000_000_000
    deadline.tv_nsec = nanoseconds % 1_000_000_000
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    while outstanding > 0 {
      guard unsafe pthread_cond_timedwait(condition, mutex, &deadline) == 0 else { break }
    }
    return outstanding == 0
  }

  static func install(on configuration: OpaquePointer) {
    unsafe rd_kafka_conf_set_dr_msg_cb(configuration) { _, message, _ in
      if let message = unsafe message { unsafe Deliveries.report(message) }
    }
  }

  /// Called by librdkafka for each record, delivered or given up.
  private static func report(_ message: UnsafePointer<rd_kafka_message_t>) {
    guard let slot = unsafe message.pointee._private else { return }
    // SAFETY: the slot was given with the record, and its owner waits for this report.
    let report = unsafe slot.assumingMemoryBound(to: Report.self)
    unsafe report.pointee.error = unsafe message.pointee.err
    unsafe report.pointee.partition = unsafe message.pointee.partition
    unsafe report.pointee.offset = unsafe message.pointee.offset
    // Keeps the owner beyond the count, after which the waiting thread may let go of it.
    let owner = unsafe report.pointee.owner
    withExtendedLifetime(owner) { owner.expectOneLess() }
  }
}
