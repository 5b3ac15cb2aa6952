/// What stands at a metric's path in an event's properties.
enum EventValue: Equatable, Sendable {
  /// The metric reads no property of the event.
  case unread
  case number(Double)
  case boolean(Bool)
  /// A string, an object, a list, null or nothing.
  case other
}

/// How one metric reads events and sums them up per unit.
struct MetricReading: Sendable {
  let eventKey: String
  let kind: Metric.Kind
  let aggregation: Metric.Aggregation
  let dedupWindow: ISODuration
  /// Nil: the event itself is what counts.
  let path: PropertyPath?

  init(
    eventKey: String, kind: Metric.Kind, aggregation: Metric.Aggregation,
    dedupWindow: ISODuration, path: PropertyPath?
  ) {
    self.eventKey = eventKey
    self.kind = kind
    self.aggregation = aggregation
    self.dedupWindow = dedupWindow
    self.path = path ?? (Self.isAmount(kind, aggregation) ? .value : nil)
  }

  /// One unit's value: a number, or for `mean` a sum and a count.
  enum UnitValue: Equatable, Sendable {
    case amount(Double, hasEvents: Bool)
    case ratio(sum: Double, count: Int)
  }

  /// An event's value x; nil when it is invalid, and the event is ignored.
  func value(_ value: EventValue) -> Double? {
    switch value {
    case .unread: 1
    case .number(let number): number.isFinite ? number : nil
    case .boolean(let flag): Self.isAmount(kind, aggregation) ? nil : flag ? 1 : 0
    case .other: nil
    }
  }

  /// - Parameter events: a unit's valid events in the order of their occurrence.
  func unitValue(_ events: [(at: Timestamp, value: Double)]) -> UnitValue {
    if kind == .binary {
      let converts = events.contains { $0.value != 0 }
      return .amount(converts ? 1 : 0, hasEvents: converts)
    }
    let sum = events.reduce(0) { $0 + $1.value }
    switch aggregation {
    case .count: return .amount(Double(accepted(events)), hasEvents: !events.isEmpty)
    case .sum: return .amount(sum, hasEvents: !events.isEmpty)
    case .mean: return .ratio(sum: sum, count: events.count)
    }
  }

  /// Events outside the windows that accepted ones opened; a window's end is outside of it.
  private func accepted(_ events: [(at: Timestamp, value: Double)]) -> Int {
    var (count, openUntil) = (0, Timestamp?.none)
    for event in events {
      if let openUntil, event.at < openUntil { continue }
      count += 1
      let (end, overflow) = event.at.microseconds.addingReportingOverflow(dedupWindow.microseconds)
      openUntil = Timestamp(microseconds: overflow ? .max : end)
    }
    return count
  }

  private static func isAmount(_ kind: Metric.Kind, _ aggregation: Metric.Aggregation) -> Bool {
    kind != .binary && aggregation != .count
  }
}

/// Sums over the units of one variant.
struct UnitSums: Equatable, Sendable {
  private(set) var units = 0
  /// Units with at least one accepted event.
  private(set) var conversions = 0
  private(set) var sum = 0.0
  private(set) var sumSquares = 0.0
  /// Of events, for `mean` only.
  private(set) var count = 0.0
  private(set) var countSquares = 0.0
  private(set) var sumCountProducts = 0.0

  mutating func add(_ value: MetricReading.UnitValue) {
    units += 1
    switch value {
    case .amount(let amount, let hasEvents):
      conversions += hasEvents ? 1 : 0
      sum += amount
      sumSquares += amount * amount
    case .ratio(let total, let events):
      let events = Double(events)
      conversions += events > 0 ? 1 : 0
      sum += total
      sumSquares += total * total
      count += events
      countSquares += events * events
      sumCountProducts += total * events
    }
  }
}
