import CEpoll
import Glibc
import Synchronization

/// One thread's loop: waits for descriptors with epoll, runs what is due, and is the executor of
/// the async code that belongs to its thread.
///
/// A turn is: wait, tell the watchers, run the jobs, run the deadlines, flush. Only `submit`,
/// `enqueue` and `stop` may be called from another thread; everything else belongs to the loop's
/// own.
///
/// `@unchecked Sendable`: the members below "other threads" are guarded by `inbox`; all others are
/// touched by the loop's thread only, which `preconditionOnLoop` checks where a mistake would be
/// silent.
final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
  /// The position of the loop among its process's loops, 0 first.
  let index: Int
  /// Monotonic nanoseconds, read once a turn.
  private(set) var now: UInt64

  private let epoll: Int32
  // Looked up for every event, and never while it is being changed: the check of that at run time
  // is left out.
  @exclusivity(unchecked) private var watchers: [Registration?] = []
  private var nextMark: UInt32 = 1
  private var jobs: [UnownedJob] = []
  private var runningJobs: [UnownedJob] = []
  private var deadlines = DeadlineQueue()
  private var turnEnds: [() -> Void] = []
  private var isStopping = false

  // Other threads.
  private let wakeUp: Int32
  private let inbox = Mutex(Inbox())
  private let thread = Atomic<UInt>(0)

  init(index: Int) throws(EventLoopError) {
    self.index = index
    now = Self.monotonicNanoseconds()
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard epoll >= 0 else { throw EventLoopError(call: "epoll_create1", code: errno) }
    wakeUp = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    guard wakeUp >= 0 else {
      let code = errno
      Glibc.close(epoll)
      throw EventLoopError(call: "eventfd", code: code)
    }
    // Mark 0 is the wake-up's own; `nextMark` never hands it out.
    _ = splitstream_epoll_control(
      epoll, EPOLL_CTL_ADD, wakeUp, EPOLLIN.rawValue, UInt64(UInt32(wakeUp)))
  }

  deinit {
    Glibc.close(wakeUp)
    Glibc.close(epoll)
  }

  // MARK: Descriptors

  /// Calls `watcher.ready` whenever `fd` has what `interest` asks for, until `unwatch`. The loop
  /// keeps the watcher alive.
  func watch(_ fd: Int32, _ interest: Readiness, _ watcher: any Watcher) throws(EventLoopError) {
    preconditionOnLoop()
    let slot = Int(fd)
    if slot >= watchers.count {
      watchers.append(contentsOf: repeatElement(nil, count: max(64, slot + 1 - watchers.count)))
    }
    let mark = nextMark
    nextMark = nextMark == .max ? 1 : nextMark + 1
    let data = UInt64(mark) << 32 | UInt64(UInt32(fd))
    guard splitstream_epoll_control(epoll, EPOLL_CTL_ADD, fd, interest.rawValue, data) == 0 else {
      throw EventLoopError(call: "epoll_ctl", code: errno)
    }
    watchers[slot] = Registration(watcher: watcher, mark: mark, interest: interest)
  }

  /// Changes what is waited for; no system call when nothing changes.
  func rewatch(_ fd: Int32, _ interest: Readiness) {
    preconditionOnLoop()
    guard watchers[Int(fd)]?.interest != interest, let registration = watchers[Int(fd)] else {
      return
    }
    watchers[Int(fd)]?.interest = interest
    let data = UInt64(registration.mark) << 32 | UInt64(UInt32(fd))
    _ = splitstream_epoll_control(epoll, EPOLL_CTL_MOD, fd, interest.rawValue, data)
  }

  /// Ends the calls to the watcher, also of events already collected in this turn. Call it before
  /// closing `fd`.
  func unwatch(_ fd: Int32) {
    preconditionOnLoop()
    guard Int(fd) < watchers.count, watchers[Int(fd)] != nil else { return }
    watchers[Int(fd)] = nil
    _ = splitstream_epoll_control(epoll, EPOLL_CTL_DEL, fd, 0, 0)
  }

  // MARK: Time and turns

  /// Runs `action` once, `seconds` from now, unless it is cancelled.
  @discardableResult
  func schedule(afterSeconds seconds: Double, _ action: @escaping () -> Void) -> DeadlineToken {
    preconditionOnLoop()
    // Thirty years are for ever, and still a number of nanoseconds.
    return deadlines.add(at: now &+ UInt64(min(max(seconds, 0), 1e9) * 1e9), action)
  }

  func cancel(_ token: DeadlineToken) {
    preconditionOnLoop()
    deadlines.cancel(token)
  }

  /// Suspends the caller, which runs on this loop, for at least `seconds`.
  func sleep(seconds: Double) async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      schedule(afterSeconds: seconds) { continuation.resume() }
    }
  }

  /// Runs `action` at the end of every turn, for as long as the loop lives: where output collected
  /// in a turn is sent.
  ///
  /// The last registered runs first: what collects for a connection is built after it and must come
  /// before it.
  func atEndOfTurn(_ action: @escaping () -> Void) {
    preconditionOnLoop()
    turnEnds.append(action)
  }

  // MARK: Other threads

  /// Runs `action` on the loop's thread, in the order of the calls. Called from any thread.
  func submit(_ action: @escaping @Sendable () -> Void) {
    let mustWake = inbox.withLock { inbox in
      inbox.actions.append(action)
      defer { inbox.isAwake = true }
      return !inbox.isAwake
    }
    if mustWake { wake() }
  }

  /// Ends `run` after the current turn. Called from any thread.
  func stop() {
    submit { self.isStopping = true }
  }

  var isOnLoop: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

  func preconditionOnLoop() {
    // Before `run` the thread that builds the loop may set it up.
    assert(
      isOnLoop || thread.load(ordering: .relaxed) == 0, "loop-owned state touched by another thread"
    )
  }

  private func wake() {
    var one: UInt64 = 1
    _ = write(wakeUp, &one, 8)
  }

  // MARK: Executor

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isOnLoop {
      jobs.append(job)
      return
    }
    let mustWake = inbox.withLock { inbox in
      inbox.jobs.append(job)
      defer { inbox.isAwake = true }
      return !inbox.isAwake
    }
    if mustWake { wake() }
  }

  func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
  func checkIsolated() { precondition(isOnLoop, "not on the loop's thread") }
  func isIsolatingCurrentContext() -> Bool? { isOnLoop }

  // MARK: The turn

  /// Runs the loop on the calling thread until `stop`.
  func run() {
    thread.store(UInt(pthread_self()), ordering: .relaxed)
    defer { thread.store(0, ordering: .relaxed) }
    let capacity = 256
    let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: capacity)
    defer { events.deallocate() }
    while !isStopping {
      let count = epoll_wait(epoll, events, Int32(capacity), waitMilliseconds())
      now = Self.monotonicNanoseconds()
      if count > 0 {
        for index in 0..<Int(count) { deliver(events[index]) }
      }
      runJobs()
      let newest = deadlines.newest
      while let action = deadlines.takeDue(now, upTo: newest) { action() }
      endTurn()
    }
  }

  /// What a turn's end resumes may collect more output, which must not wait for the next event.
  private func endTurn() {
    repeat {
      runJobs()
      for action in turnEnds.reversed() { action() }
    } while !jobs.isEmpty
  }

  private func deliver(_ event: epoll_event) {
    let data = event.data.u64
    let slot = Int(data & 0xffff_ffff)
    let mark = UInt32(data >> 32)
    if mark == 0 { return takeInbox() }
    // A watcher told earlier in this turn may have closed this descriptor, and another may have
    // opened it again.
    guard slot < watchers.count, let registration = watchers[slot], registration.mark == mark else {
      return
    }
    registration.watcher.ready(Readiness(rawValue: event.events))
  }

  private func takeInbox() {
    var count: UInt64 = 0
    _ = read(wakeUp, &count, 8)
    let taken = inbox.withLock { inbox in
      defer { inbox = Inbox() }
      return inbox
    }
    jobs.append(contentsOf: taken.jobs)
    for action in taken.actions { action() }
  }

  private func runJobs() {
    let serial = asUnownedSerialExecutor()
    let task = asUnownedTaskExecutor()
    while !jobs.isEmpty {
      swap(&jobs, &runningJobs)
      for job in runningJobs { job.runSynchronously(isolatedTo: serial, taskExecutor: task) }
      runningJobs.removeAll(keepingCapacity: true)
    }
  }

  private func waitMilliseconds() -> Int32 {
    if !jobs.isEmpty { return 0 }
    guard let next = deadlines.next else { return -1 }
    let current = Self.monotonicNanoseconds()
    return next <= current ? 0 : Int32(min((next - current) / 1_000_000 + 1, 60_000))
  }

  static func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  private struct Registration {
    let watcher: any Watcher
    let mark: UInt32
    var interest: Readiness
  }

  private struct Inbox {
    var jobs: [UnownedJob] = []
    var actions: [@Sendable () -> Void] = []
    var isAwake = false
  }
}

/// What a loop tells about a descriptor. Never used by another thread than the loop's.
protocol Watcher: AnyObject {
  /// The descriptor may be read or written, or its peer is gone. A hint: the call that follows may
  /// still find nothing.
  func ready(_ readiness: Readiness)
}

/// The events of epoll(7) that the loop knows.
struct Readiness: OptionSet, Sendable {
  let rawValue: UInt32
  static let read = Readiness(rawValue: EPOLLIN.rawValue)
  static let write = Readiness(rawValue: EPOLLOUT.rawValue)
  static let peerClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
  static let error = Readiness(rawValue: EPOLLERR.rawValue)
  static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
  /// Asks to be told once of what comes, not in every turn while it is there: the kernel need not
  /// look at the descriptor again before each wait.
  static let edge = Readiness(rawValue: EPOLLET.rawValue)
}

/// The kernel refused what a loop needs.
struct EventLoopError: Error, Equatable {
  let call: String
  /// The `errno` of the call.
  let code: Int32
}
