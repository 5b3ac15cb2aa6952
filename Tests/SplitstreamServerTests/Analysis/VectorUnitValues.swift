@testable import SplitstreamServer

/// `unit_values`: from exposures and events to sums per variant.
extension VectorFunctions {
  @Sendable static func unitValues(_ input: VectorInput) throws -> VectorAnswer {
    let variants = try input.list("variants").map { try text($0) }
    let frame = Attribution.Frame(
      variants: variants, startedAt: try required(time(input, "started_at")),
      asOf: try required(time(input, "as_of")), stoppedAt: try time(input, "stopped_at"),
      maxDurationDays: try input.int("max_duration_days", default: 28),
      forcedUnits: Set(
        try (input.value("forced_units") == nil ? [] : input.list("forced_units"))
          .map { try unit(text($0)) }))
    let metric = try reading(input.object("metric"))
    let result = Attribution(
      frame, metric: metric,
      exposures: try input.objects("exposures").map { row in
        Attribution.Exposure(
          unit: try unit(row.text("unit_id")), variant: try row.text("variant"),
          at: try required(time(row, "at")), supersededAt: try time(row, "superseded_at"))
      },
      events: try input.objects("events").map { try event($0, metric) })
    return [
      "per_variant": .object(
        Dictionary(uniqueKeysWithValues: zip(variants, result.perVariant.map(fields)))),
      "late_event_count": VectorAnswer(result.lateEventCount),
      "invalid_value_count": VectorAnswer(result.invalidValueCount),
      "multi_variant_units": VectorAnswer(result.multiVariantUnits),
    ]
  }

  private static func fields(_ sums: UnitSums) -> VectorAnswer {
    [
      "n": VectorAnswer(sums.units), "conversions": VectorAnswer(sums.conversions),
      "s": .number(sums.sum), "ss": .number(sums.sumSquares), "c": .number(sums.count),
      "cc": .number(sums.countSquares), "sc": .number(sums.sumCountProducts),
    ]
  }

  private static func reading(_ input: VectorInput) throws -> MetricReading {
    MetricReading(
      eventKey: try input.text("event_key"),
      kind: try required(Metric.Kind(rawValue: input.text("kind"))),
      aggregation: try required(
        Metric.Aggregation(rawValue: input.text("aggregation", default: "count"))),
      dedupWindow: try required(ISODuration(input.text("unit_dedup_window", default: "P7D"))),
      path: try input.value("property_path").map { try required(PropertyPath(text($0))) })
  }

  private static func event(_ row: VectorInput, _ metric: MetricReading) throws
    -> Attribution.Event
  {
    let receivedAt = try time(row, "received_at")
    let occurredAt = try time(row, "at") ?? receivedAt
    let clientEventID = row.value("client_event_id")
    return Attribution.Event(
      unit: try unit(row.text("unit_id")), eventKey: try row.text("event_key"),
      occurredAt: try required(occurredAt), receivedAt: try required(receivedAt ?? occurredAt),
      clientEventID: try clientEventID.map(text),
      value: value(row.value("properties") ?? .object([:]), metric.path))
  }

  private static func value(_ properties: VectorAnswer, _ path: PropertyPath?) -> EventValue {
    guard let path else { return .unread }
    var value = properties
    for key in path.keys {
      guard case .object(let members) = value, let member = members[key] else { return .other }
      value = member
    }
    switch value {
    case .number(let number): return .number(number)
    case .bool(let flag): return .boolean(flag)
    default: return .other
    }
  }

  private static func unit(_ text: String) throws -> UnitID { try required(UnitID(text)) }

  private static func text(_ value: VectorAnswer) throws -> String {
    guard case .text(let text) = value else { throw VectorProblem("\(value) is no string") }
    return text
  }

  /// An instant; nil when absent or null.
  private static func time(_ input: VectorInput, _ name: String) throws -> Timestamp? {
    try input.value(name).map { try required(Timestamp(rfc3339: text($0))) }
  }

  private static func required<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw VectorProblem("a \(Value.self) is missing or wrong") }
    return value
  }
}
