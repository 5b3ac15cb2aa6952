import Glibc

/// SIGINT and SIGTERM, taken by the main thread alone. Blocked before any other thread starts, so that all inherit it.
enum StopSignals {
  static func block() {
    var signals = set
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    // A write to a peer that is gone must be an error, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
  }

  /// Returns the name of the first that arrives.
  static func wait() -> String {
    var signals = set
    var number: Int32 = 0
    while sigwait(&signals, &number) != 0 {}
    return number == SIGINT ? "SIGINT" : "SIGTERM"
  }

  /// From now on the first signal ends the process at once: for an operator who will not wait.
  static func release() {
    var signals = set
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  private static var set: sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGINT)
    sigaddset(&set, SIGTERM)
    return set
  }
}
