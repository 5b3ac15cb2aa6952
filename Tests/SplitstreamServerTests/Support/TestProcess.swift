import Foundation
import Glibc
import Synchronization

/// A child process of the tests, which dies with them.
///
/// `PR_SET_PDEATHSIG` follows the thread that forked, not the process: all children come from one
/// thread that never ends.
final class TestProcess: Sendable {
  private let pid = Mutex<pid_t?>(nil)

  /// Starts the program with its output going nowhere, unless `SPLITSTREAM_TEST_OUTPUT` names a
  /// file.
  func start(_ program: String, _ arguments: [String]) {
    let started = Self.forks.perform { Self.spawn([program] + arguments) }
    pid.withLock { $0 = started }
  }

  /// The exit status of the program.
  func wait() -> Int32 {
    guard let child = pid.withLock({ $0 }) else { return -1 }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    pid.withLock { $0 = nil }
    return status
  }

  /// Stops the program and its children where they stand, or lets them go on.
  func signalAll(_ number: Int32) {
    guard let child = pid.withLock({ $0 }) else { return }
    // It first, so that it starts nobody meanwhile.
    signal(number)
    let children = try? String(
      contentsOfFile: "/proc/\(child)/task/\(child)/children", encoding: .utf8)
    for child in (children ?? "").split(separator: " ").compactMap({ pid_t($0) }) {
      _ = Glibc.kill(child, number)
    }
  }

  func signal(_ number: Int32) {
    if let child = pid.withLock({ $0 }) { _ = Glibc.kill(child, number) }
  }

  /// Sends the signal and waits for the end.
  func kill(_ number: Int32) {
    guard pid.withLock({ $0 }) != nil else { return }
    signal(number)
    _ = wait()
  }

  /// Asks again and again, at most 90 seconds, for what gives no signal by itself.
  static func waitUntil(_ what: String, _ isTrue: () -> Bool) {
    let end = Date() + 90
    while !isTrue() {
      precondition(Date() < end, "not in time: \(what)")
      usleep(10_000)
    }
  }

  private static let forks = ForkingThread()

  private static func spawn(_ arguments: [String]) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let output = ProcessInfo.processInfo.environment["SPLITSTREAM_TEST_OUTPUT"] ?? "/dev/null"
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // A connection of the tests that a server inherits would outlive its owner.
    for descriptor in 3..<8192 as Range<Int32> {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }
    var copies = arguments.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    var pid = pid_t()
    let code = posix_spawnp(&pid, arguments[0], &actions, nil, &copies, environ)
    precondition(code == 0, "\(arguments[0]) does not start: \(String(cString: strerror(code)))")
    return pid
  }
}

/// The one thread that forks.
private final class ForkingThread: Sendable {
  private let work = DispatchSemaphore(value: 0)
  private let queue = Mutex<[@Sendable () -> Void]>([])

  init() {
    let thread = Thread { [self] in
      while true {
        work.wait()
        let next = queue.withLock { $0.removeFirst() }
        next()
      }
    }
    thread.start()
  }

  func perform(_ body: @escaping @Sendable () -> pid_t) -> pid_t {
    let result = Result()
    queue.withLock {
      $0.append {
        result.value.store(body(), ordering: .relaxed)
        result.isThere.signal()
      }
    }
    work.signal()
    result.isThere.wait()
    return result.value.load(ordering: .relaxed)
  }

  private final class Result: Sendable {
    let value = Atomic<pid_t>(0)
    let isThere = DispatchSemaphore(value: 0)
  }
}

/// Numbers that are each given out once.
final class Counter: Sendable {
  private let last = Atomic<Int>(0)
  func next() -> Int { last.add(1, ordering: .relaxed).newValue }
}

/// Short paths in /tmp: the name of a unix socket has 107 bytes at most.
enum TestDirectory {
  static func make(_ prefix: String) -> String {
    var template = Array("/tmp/\(prefix)-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil, "no directory in /tmp")
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  static func remove(_ path: String) {
    try? FileManager.default.removeItem(atPath: path)
  }
}
