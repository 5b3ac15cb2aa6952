import Synchronization

/// When this process last heard PostgreSQL on the connection that tells it of changes: whatever was
/// committed before that moment is known here, and memory may be answered from.
final class Heartbeat: Sendable {
  /// What others change is seen within a second; a quarter of it is kept for what has to be done
  /// then.
  static let trustNanoseconds: UInt64 = 750_000_000

  private let heardAt = Atomic<UInt64>(0)

  /// Notes that all that was committed before `time` has arrived.
  func note(_ time: UInt64) {
    heardAt.store(time, ordering: .releasing)
  }

  /// Whether what others have changed since is too young to matter.
  func isFresh(at now: UInt64) -> Bool { age(at: now) < Self.trustNanoseconds }

  /// Whether PostgreSQL is there to be heard. A new connection for it takes longer than a beat.
  func isHeard(at now: UInt64) -> Bool { age(at: now) < 4 * Self.trustNanoseconds }

  /// Nanoseconds since PostgreSQL was heard; for ever when it never was.
  func age(at now: UInt64) -> UInt64 {
    let heardAt = heardAt.load(ordering: .acquiring)
    if heardAt == 0 { return .max }
    return now > heardAt ? now - heardAt : 0
  }

  /// The clock of all these times, which is the loops' too.
  static func now() -> UInt64 { EventLoop.monotonicNanoseconds() }
}
