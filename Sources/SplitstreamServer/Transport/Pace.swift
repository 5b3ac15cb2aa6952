/// How long something has been going on, and how much of it was done.
struct Pace<Phase: Equatable> {
  private(set) var phase: Phase
  /// Bytes moved since the phase began.
  var bytes = 0
  /// In the loop's monotonic nanoseconds.
  private var since: UInt64

  init(_ phase: Phase, since: UInt64) {
    self.phase = phase
    self.since = since
  }

  /// Starts to count anew if this is another phase.
  mutating func enter(_ phase: Phase, now: UInt64) {
    if phase != self.phase { restart(phase, now: now) }
  }

  mutating func restart(_ phase: Phase, now: UInt64) {
    self = Pace(phase, since: now)
  }

  func seconds(now: UInt64) -> Double { Double(now - since) / 1e9 }

  /// Whether the phase has lasted longer than is allowed at once, and longer than its bytes excuse.
  func isTooSlow(_ secondsMax: Double, _ bytesPerSecondMin: Double, now: UInt64) -> Bool {
    let seconds = seconds(now: now)
    return seconds > secondsMax && seconds * bytesPerSecondMin > Double(bytes)
  }
}
