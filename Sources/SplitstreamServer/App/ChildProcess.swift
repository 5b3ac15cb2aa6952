import Dispatch
import Glibc
import Synchronization

/// A program started by this process, in a session of its own: a Ctrl-C in the terminal reaches
/// only us.
///
/// It runs through setpriv(1), which changes the user where one is given and asks the kernel to
/// send the child `parentDeathSignal` when we die, however we die.
final class ChildProcess: Sendable {
  let pid: pid_t
  private let ending = Mutex<Ending?>(nil)

  /// - Parameters:
  /// - arguments: the program, found through `PATH` unless it holds a slash, and what it is given.
  ///   - user: who it runs as; nil for ourselves.
  ///   - input: the file it reads, else nothing.
  ///   - output: the file that what it prints is appended to.
  init(
    _ arguments: [String], as user: ServiceUser? = nil, input: String = "/dev/null", output: String,
    parentDeathSignal: String = "KILL"
  ) throws(ChildProcessError) {
    var all = ["setpriv", "--pdeathsig", parentDeathSignal]
    if let user { all += ["--reuid", "\(user.uid)", "--regid", "\(user.gid)", "--clear-groups"] }
    let command = all + ["--"] + arguments
    // The kernel watches the thread that forks, not the process: one that ends early would take the
    // child with it.
    let (pid, code) = ForkingThread.shared.run {
      Self.spawn(command, input: input, output: output)
    }
    guard code == 0 else { throw ChildProcessError(program: arguments[0], code: code) }
    self.pid = pid
  }

  /// How a process ended.
  enum Ending: Equatable, Sendable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)

    var description: String {
      switch self {
      case .exited(let status): "ended with status \(status)"
      case .signalled(let signal): "was ended by signal \(signal)"
      }
    }
  }

  /// Nil while it runs.
  func poll() -> Ending? {
    ending.withLock { ending in
      if ending != nil { return ending }
      var status: Int32 = 0
      guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
      // wait(2): the low seven bits are the signal, the next byte the exit status.
      let signal = status & 0x7f
      ending = signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal)
      return ending
    }
  }

  /// Nil when it still runs after `seconds`.
  func wait(seconds: Double) -> Ending? {
    Deadline(seconds: seconds).poll { self.poll() }
  }

  func signal(_ signal: Int32) {
    // Under the lock of `poll`: once reaped, the number may be another's.
    ending.withLock { ending in
      if ending == nil { _ = kill(pid, signal) }
    }
  }

  /// - Returns: the child, and 0 or an `errno`.
  private static func spawn(_ command: [String], input: String, output: String) -> (pid_t, Int32) {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)

    // We ignore and block signals that a child must have as they were.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    // 0x80 is POSIX_SPAWN_SETSID, which glibc shows only to _GNU_SOURCE.
    let flags = Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | 0x80)
    posix_spawnattr_setflags(&attributes, flags)

    // A clean environment: PGPORT, PGDATA and their kin would reconfigure a private server.
    let environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC"]
    let argv = command.map { strdup($0) } + [nil]
    let envp = environment.map { strdup($0) } + [nil]
    defer { for text in argv + envp { free(text) } }
    var pid: pid_t = 0
    let code = posix_spawnp(&pid, command[0], &actions, &attributes, argv, envp)
    return (pid, code)
  }
}

/// A program could not be started at all.
struct ChildProcessError: Error, Equatable, CustomStringConvertible {
  let program: String
  let code: Int32

  var description: String { "cannot start \(program): \(String(cString: strerror(code)))" }
}
