import Testing

@testable import SplitstreamServer

/// The process's clock, corrected by PostgreSQL's when it is provably off.
@Suite struct ServerClockTests {
  /// A measurement: asked at second `asked` of the process's clock, answered after the round trip,
  /// by a PostgreSQL whose clock is ahead by `offset` in the middle of it.
  private func measure(
    _ clock: ServerClock, at asked: Int, roundTrip: Int = 1000, offset: Int
  ) {
    let sent = asked * 1_000_000
    clock.adjust(
      to: Timestamp(microseconds: sent + roundTrip / 2 + offset),
      askedAt: Timestamp(microseconds: sent),
      answeredAt: Timestamp(microseconds: sent + roundTrip))
  }

  /// Microseconds by which the clock corrects the process's, to within what a test's own steps
  /// take.
  private func offset(of clock: ServerClock) -> Int {
    let before = ServerClock.processTime().microseconds
    let between = clock.now.microseconds
    let after = ServerClock.processTime().microseconds
    // The reading lies between the two others: the larger distance rounds to the offset.
    return (between - after...between - before).contains(0) ? 0 : between - before
  }

  private func isAbout(_ clock: ServerClock, _ expected: Int) -> Bool {
    abs(offset(of: clock) - expected) < 500_000
  }

  @Test("before any measurement, and when the clocks agree, it is the process's own")
  func same() {
    let clock = ServerClock()
    #expect(offset(of: clock) == 0)
    measure(clock, at: 1000, offset: 400)
    // Within half the round trip: noise.
    #expect(offset(of: clock) == 0)
  }

  @Test("an offset beyond its uncertainty is applied, in both directions")
  func applied() {
    for seconds in [10, -10] {
      let clock = ServerClock()
      measure(clock, at: 1000, offset: seconds * 1_000_000)
      #expect(isAbout(clock, seconds * 1_000_000))
    }
  }

  @Test("a worse measurement changes nothing until drift has made it the better one")
  func drift() {
    let clock = ServerClock()
    measure(clock, at: 1000, roundTrip: 1000, offset: 10_000_000)
    measure(clock, at: 1001, roundTrip: 4_000_000, offset: 11_500_000)
    #expect(isAbout(clock, 10_000_000))
    // 50 parts in a million of 40,000 s are two seconds.
    measure(clock, at: 41_001, roundTrip: 4_000_000, offset: 11_500_000)
    #expect(isAbout(clock, 11_500_000))
  }

  /// After a step back the first measurement is "from the future": it must not stand until then.
  @Test(
    "a clock that was set is noticed at the next measurement", arguments: [3600, -3600, 10, -10])
  func stepped(seconds: Int) {
    let clock = ServerClock()
    measure(clock, at: 10_000, roundTrip: 100, offset: 0)
    measure(clock, at: 10_030 + seconds, roundTrip: 10_000, offset: -seconds * 1_000_000)
    #expect(isAbout(clock, -seconds * 1_000_000))
    measure(clock, at: 10_060, roundTrip: 10_000, offset: 0)
    #expect(isAbout(clock, 0))
  }
}
