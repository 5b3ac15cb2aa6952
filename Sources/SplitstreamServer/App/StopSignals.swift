import Glibc

/// SIGINT, SIGTERM and SIGHUP, taken by the main thread alone. Blocked before any other thread
/// starts, so that all inherit it.
enum StopSignals {
  static func block() {
    var signals = set
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    // A write to a peer that is gone must be an error, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
  }

  /// Returns the name of the first that asks for the end.
  ///
  /// - Parameter reload: what SIGHUP asks for; nil for the end too: the terminal has gone.
  static func wait(reload: (() -> Void)? = nil) -> String {
    while true {
      var signals = set
      var number: Int32 = 0
      guard sigwait(&signals, &number) == 0 else { continue }
      guard number == SIGHUP else { return number == SIGINT ? "SIGINT" : "SIGTERM" }
      guard let reload else { return "SIGHUP" }
      reload()
    }
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
    sigaddset(&set, SIGHUP)
    return set
  }
}
