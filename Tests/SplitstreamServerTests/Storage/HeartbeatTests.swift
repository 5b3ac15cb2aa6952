import Testing

@testable import SplitstreamServer

/// How long a process may rely on its memory after it has heard PostgreSQL.
@Suite struct HeartbeatTests {
  private static let second: UInt64 = 1_000_000_000

  @Test("one that never beat is never fresh")
  func never() {
    let heartbeat = Heartbeat()
    #expect(!heartbeat.isFresh(at: 0))
    #expect(!heartbeat.isFresh(at: Self.second))
    #expect(heartbeat.age(at: 5) == .max)
  }

  @Test("a beat is fresh for less than a second")
  func ages() {
    let heartbeat = Heartbeat()
    heartbeat.note(10 * Self.second)
    #expect(heartbeat.isFresh(at: 10 * Self.second + Heartbeat.trustNanoseconds - 1))
    #expect(!heartbeat.isFresh(at: 10 * Self.second + Heartbeat.trustNanoseconds))
    #expect(Heartbeat.trustNanoseconds < Self.second)
    #expect(heartbeat.age(at: 13 * Self.second) == 3 * Self.second)
    #expect(!heartbeat.isHeard(at: 13 * Self.second) && heartbeat.isHeard(at: 12 * Self.second))
  }

  @Test("a loop whose turn began before the beat finds it fresh")
  func ahead() {
    let heartbeat = Heartbeat()
    heartbeat.note(10 * Self.second)
    #expect(heartbeat.isFresh(at: 9 * Self.second))
  }
}
