import Testing

@testable import SplitstreamServer

/// What becomes of an event by its age: the bounds belong to the better side, to the microsecond.
@Suite struct EventTimingTests {
  private static let day = 86_400_000_000

  @Test(
    "ages",
    arguments: [
      (0, .onTime), (-day, .onTime), (-day - 1, .inFuture),
      (7 * day - 1, .onTime), (7 * day, .late),
      (30 * day, .late), (30 * day + 1, .tooOld),
    ] as [(Int, Event.Timing)])
  func ages(age: Int, timing: Event.Timing) {
    let now = Timestamp(microseconds: 1_763_715_600_000_000)
    let then = Timestamp(microseconds: now.microseconds - age)
    #expect(Event.Timing(occurredAt: then, receivedAt: now) == timing)
  }
}
