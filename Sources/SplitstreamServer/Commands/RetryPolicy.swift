/// How long to wait before a request that failed is sent again, and when to give up.
struct RetryPolicy: Sendable {
  /// 429 and 503 ask for patience; 502 and 504 are what a proxy says while a server restarts.
  static let transientStatuses: Set<Int> = [429, 502, 503, 504]

  var firstPauseSeconds = 0.1
  var pauseSecondsMax = 5.0
  /// A `Retry-After` above this is shortened to it.
  var retryAfterSecondsMax = 30.0
  /// The pauses of one request, added up.
  var totalPauseSecondsMax = 120.0

  static let never = RetryPolicy(totalPauseSecondsMax: 0)

  /// Seconds to wait now; nil when the request has failed for good.
  ///
  /// - Parameters:
  ///   - failures: how often this request has failed, 1 …
  ///   - retryAfterSeconds: what the server asked for.
  ///   - pausedSeconds: how long this request has waited so far.
  func pause(failures: Int, retryAfterSeconds: Int?, pausedSeconds: Double) -> Double? {
    // 2^20 · 0.1 s is above every maximum.
    let doublings = min(failures - 1, 20)
    var pause = min(firstPauseSeconds * Double(1 << doublings), pauseSecondsMax)
    if let retryAfterSeconds {
      pause = max(pause, min(Double(retryAfterSeconds), retryAfterSecondsMax))
    }
    return pausedSeconds + pause <= totalPauseSecondsMax ? pause : nil
  }
}
