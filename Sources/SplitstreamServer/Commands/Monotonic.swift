import Glibc

/// Time that only goes forward, for time-outs and rates.
enum Monotonic {
  /// Seconds since some moment in the past.
  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// Blocks the calling thread.
  static func pause(seconds: Double) {
    let end = now() + seconds
    // A signal cuts a sleep short.
    while case let rest = end - now(), rest > 0 {
      var time = timespec()
      time.tv_sec = Int(rest)
      time.tv_nsec = Int((rest - rest.rounded(.down)) * 1e9)
      nanosleep(&time, nil)
    }
  }
}
