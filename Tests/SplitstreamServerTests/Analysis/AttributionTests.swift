import Testing

@testable import SplitstreamServer

/// The rules of attribution that the public vectors leave out, one at a time, on a few units.
@Suite("Statistics: attribution")
struct AttributionTests {
  /// Hours after the start.
  private static func hour(_ hours: Int) -> Timestamp {
    Timestamp(microseconds: 1_800_000_000_000_000).adding(seconds: 3600 * hours)
  }

  private static func unit(_ name: String) throws -> UnitID { try #require(UnitID(name)) }

  private static var frame: Attribution.Frame {
    Attribution.Frame(
      variants: ["a", "b"], startedAt: hour(0), asOf: hour(24 * 20), maxDurationDays: 28)
  }

  private static func exposure(
    _ unit: String, _ variant: String, at hours: Int, superseded: Int? = nil
  ) throws -> Attribution.Exposure {
    Attribution.Exposure(
      unit: try self.unit(unit), variant: variant, at: hour(hours),
      supersededAt: superseded.map(hour))
  }

  private static func event(
    _ unit: String, at hours: Int, received: Int? = nil, id: String? = nil,
    _ value: EventValue = .unread
  ) throws -> Attribution.Event {
    Attribution.Event(
      unit: try self.unit(unit), eventKey: "buy", occurredAt: hour(hours),
      receivedAt: hour(received ?? hours), clientEventID: id, value: value)
  }

  private static func metric(
    _ kind: Metric.Kind, _ aggregation: Metric.Aggregation = .count, window: String = "P7D"
  ) throws -> MetricReading {
    MetricReading(
      eventKey: "buy", kind: kind, aggregation: aggregation,
      dedupWindow: try #require(ISODuration(window)), path: nil)
  }

  @Test("the earliest exposure decides; forced and unknown ones do not exist")
  func sample() throws {
    var frame = Self.frame
    frame.forcedUnits = [try Self.unit("forced")]
    let result = Attribution(
      frame, metric: try Self.metric(.binary),
      exposures: try [
        Self.exposure("both", "b", at: 9), Self.exposure("both", "a", at: 3),
        Self.exposure("tie", "b", at: 5), Self.exposure("tie", "a", at: 5),
        Self.exposure("forced", "a", at: 5), Self.exposure("other", "c", at: 5),
        Self.exposure("early", "a", at: -1), Self.exposure("late", "a", at: 24 * 21),
      ], events: [])
    #expect(result.perVariant.map(\.units) == [1, 1])
    #expect(result.multiVariantUnits == 2)
  }

  @Test("a re-bucketed unit counts from its new first exposure on")
  func rebucketed() throws {
    let result = Attribution(
      Self.frame, metric: try Self.metric(.count, window: "PT0S"),
      exposures: try [
        Self.exposure("u", "a", at: 1, superseded: 10), Self.exposure("u", "b", at: 12),
        // Superseded after the snapshot: not yet.
        Self.exposure("v", "a", at: 1, superseded: 24 * 30),
      ], events: try [Self.event("u", at: 2), Self.event("u", at: 13), Self.event("v", at: 2)])
    #expect(result.perVariant.map(\.units) == [1, 1])
    #expect(result.perVariant.map(\.sum) == [1, 1])
  }

  @Test("a repeated id counts once, the first received, wherever it stands")
  func repeated() throws {
    let result = Attribution(
      Self.frame, metric: try Self.metric(.revenue, .sum),
      exposures: [try Self.exposure("u", "a", at: 0)],
      events: try [
        Self.event("u", at: 1, received: 30, id: "x", .number(100)),
        Self.event("u", at: 2, received: 20, id: "x", .number(7)),
        Self.event("u", at: 3, id: "y", .number(1)), Self.event("u", at: 3, .number(-3)),
      ])
    #expect(result.perVariant[0].sum == 5)
    #expect(result.perVariant[0].conversions == 1)
  }

  @Test("a window is anchored at the event it accepted, and its end is outside")
  func window() throws {
    let result = Attribution(
      Self.frame, metric: try Self.metric(.count, window: "PT10H"),
      exposures: [try Self.exposure("u", "a", at: 0)],
      // 2 is inside the window of 1; 11 is at its end and opens the next; 21 at the end of that.
      events: try [21, 1, 12, 11, 2, 22, 24].map { try Self.event("u", at: $0) })
    #expect(result.perVariant[0].sum == 3)
  }

  @Test("sums take every event, whatever the window; means are pairs")
  func amounts() throws {
    let exposures = try [Self.exposure("u", "a", at: 0), Self.exposure("v", "a", at: 0)]
    let events = try [
      Self.event("u", at: 1, .number(10)), Self.event("u", at: 1, .number(20)),
      Self.event("u", at: 2, .boolean(true)), Self.event("v", at: 2, .other),
    ]
    let sum = Attribution(
      Self.frame, metric: try Self.metric(.revenue, .sum), exposures: exposures, events: events)
    #expect(sum.perVariant[0].sum == 30 && sum.perVariant[0].sumSquares == 900)
    #expect(sum.perVariant[0].conversions == 1 && sum.perVariant[0].units == 2)
    // Booleans are no amounts.
    #expect(sum.invalidValueCount == 2)
    let mean = Attribution(
      Self.frame, metric: try Self.metric(.duration, .mean), exposures: exposures, events: events)
    #expect(mean.perVariant[0].count == 2 && mean.perVariant[0].countSquares == 4)
    #expect(mean.perVariant[0].sumCountProducts == 60)
  }

  @Test("what counts ends with the experiment, and with what had arrived")
  func ends() throws {
    var frame = Self.frame
    frame.maxDurationDays = 2
    let exposures = [try Self.exposure("u", "a", at: 1)]
    func count(_ events: [Attribution.Event]) throws -> Double {
      Attribution(
        frame, metric: try Self.metric(.count, window: "PT0S"), exposures: exposures,
        events: events
      ).perVariant[0].sum
    }
    #expect(try count([Self.event("u", at: 48), Self.event("u", at: 49)]) == 1)
    #expect(try count([Self.event("u", at: 5, received: 24 * 20 + 1)]) == 0)
    frame.asOf = Self.hour(24 * 60)
    #expect(try count([Self.event("u", at: 5, received: 24 * 30 + 5)]) == 1)
    #expect(try count([Self.event("u", at: 5, received: 24 * 30 + 6)]) == 0)
  }
}
