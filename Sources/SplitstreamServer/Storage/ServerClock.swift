import Glibc
import Synchronization

/// PostgreSQL's time as this process knows it: its own clock, corrected when it is provably off.
///
/// Experiments live by PostgreSQL's clock; an event stamped by a process that is behind would fall
/// before its exposure.
final class ServerClock: Sendable {
  private struct Estimate {
    var offset = 0
    /// Half the round trip of the measurement: the true offset lies within this of `offset`.
    var uncertainty = Int.max / 4
    var measuredAt = 0
  }

  private let offset = Atomic<Int>(0)
  private let best = Mutex(Estimate())

  /// How far two clocks may drift apart: 50 parts in a million.
  private static let driftPerMillion = 50

  var now: Timestamp {
    Timestamp(microseconds: Self.processMicroseconds() + offset.load(ordering: .relaxed))
  }

  /// Takes PostgreSQL's `time`, asked for at `sent` and answered at `received` by the process's own
  /// clock.
  ///
  /// A measurement replaces a better one when the drift since then makes it the better one, or when
  /// both cannot be true because a clock was set. An offset within its own uncertainty is none: on
  /// one machine, or under NTP, the clocks are the same and noise must not move events.
  func adjust(to time: Timestamp, askedAt sent: Timestamp, answeredAt received: Timestamp) {
    let uncertainty = max(0, received.microseconds - sent.microseconds) / 2
    let measured = time.microseconds - (sent.microseconds + uncertainty)
    let chosen = best.withLock { best in
      let age = abs(received.microseconds - best.measuredAt)
      let grown = best.uncertainty + age / 1_000_000 * Self.driftPerMillion
      if uncertainty <= grown || abs(measured - best.offset) > uncertainty + grown {
        best = Estimate(
          offset: measured, uncertainty: uncertainty, measuredAt: received.microseconds)
      }
      return abs(best.offset) <= best.uncertainty ? 0 : best.offset
    }
    offset.store(chosen, ordering: .relaxed)
  }

  /// The process's own clock.
  static func processTime() -> Timestamp { Timestamp(microseconds: processMicroseconds()) }

  private static func processMicroseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
  }
}
