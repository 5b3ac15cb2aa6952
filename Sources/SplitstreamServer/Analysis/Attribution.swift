/// From exposures and events to per-unit values, in memory: the rules in one readable
/// place, and the reference that the SQL is tested against.
struct Attribution: Sendable {
  /// One stored exposure; the order of the rows is the order of their ids.
  struct Exposure: Sendable {
    let unit: UnitID
    let variant: String
    let at: Timestamp
    let supersededAt: Timestamp?
  }

  /// One stored event of the environment, its value already read at the metric's path.
  struct Event: Sendable {
    let unit: UnitID
    let eventKey: String
    let occurredAt: Timestamp
    let receivedAt: Timestamp
    let clientEventID: String?
    let value: EventValue
  }

  /// What the experiment says about whom and what to count.
  struct Frame: Sendable {
    var variants: [String]
    var startedAt: Timestamp
    var asOf: Timestamp
    var stoppedAt: Timestamp?
    var maxDurationDays: Int
    /// Not randomised: in neither sample nor sample ratio.
    var forcedUnits: Set<UnitID> = []

    /// Of the observation period, inclusive.
    var end: Timestamp {
      min(asOf, stoppedAt ?? asOf, startedAt.adding(days: maxDurationDays))
    }
  }

  /// Per variant, in the frame's order.
  let perVariant: [UnitSums]
  let lateEventCount: Int
  let invalidValueCount: Int
  let multiVariantUnits: Int

  private static let lateDays = 7
  private static let oldestDays = 30

  init(
    _ frame: Frame, metric: MetricReading, exposures: [Exposure], events: [Event]
  ) {
    let sample = Self.sample(frame, exposures)
    let attributed = Self.attributed(frame, metric, events, to: sample.units)
    var valid: [UnitID: [(at: Timestamp, value: Double)]] = [:]
    var (late, invalid) = (0, 0)
    for event in attributed {
      guard let value = metric.value(event.value) else {
        invalid += 1
        continue
      }
      if event.occurredAt.adding(days: Self.lateDays) <= event.receivedAt { late += 1 }
      valid[event.unit, default: []].append((event.occurredAt, value))
    }

    var perVariant = frame.variants.map { _ in UnitSums() }
    // In the order of the rows: sums of doubles depend on theirs.
    var added: Set<UnitID> = []
    for unit in exposures.map(\.unit) {
      guard let exposure = sample.units[unit], added.insert(unit).inserted else { continue }
      perVariant[exposure.variant].add(metric.unitValue(valid[unit] ?? []))
    }
    self.perVariant = perVariant
    lateEventCount = late
    invalidValueCount = invalid
    multiVariantUnits = sample.multiVariantUnits
  }

  /// Every unit's first usable exposure: it decides, whatever later ones say (intention to treat).
  private static func sample(_ frame: Frame, _ exposures: [Exposure]) -> (
    units: [UnitID: (variant: Int, at: Timestamp)], multiVariantUnits: Int
  ) {
    var units: [UnitID: (variant: Int, at: Timestamp)] = [:]
    var variants: [UnitID: Set<Int>] = [:]
    for exposure in exposures {
      guard let variant = frame.variants.firstIndex(of: exposure.variant),
        frame.startedAt <= exposure.at, exposure.at <= frame.end,
        exposure.supersededAt.map({ $0 > frame.asOf }) ?? true,
        !frame.forcedUnits.contains(exposure.unit)
      else { continue }
      variants[exposure.unit, default: []].insert(variant)
      if let first = units[exposure.unit], first.at <= exposure.at { continue }
      units[exposure.unit] = (variant, exposure.at)
    }
    return (units, variants.values.count { $0.count > 1 })
  }

  /// Events that count for a unit of the sample, in the order of their occurrence.
  private static func attributed(
    _ frame: Frame, _ metric: MetricReading, _ events: [Event],
    to units: [UnitID: (variant: Int, at: Timestamp)]
  ) -> [Event] {
    // A repeated id counts once: the first received. As bytes, for strings fold what differs.
    var seen: Set<[UInt8]> = []
    let firsts = stable(events) { $0.receivedAt < $1.receivedAt }.filter { index in
      events[index].clientEventID.map { seen.insert(Array($0.utf8)).inserted } ?? true
    }
    let counted = firsts.sorted().map { events[$0] }.filter { event in
      guard let exposure = units[event.unit] else { return false }
      return event.eventKey == metric.eventKey && exposure.at <= event.occurredAt
        && event.occurredAt <= frame.end && event.receivedAt <= frame.asOf
        && event.receivedAt <= event.occurredAt.adding(days: oldestDays)
    }
    return stable(counted) { $0.occurredAt < $1.occurredAt }.map { counted[$0] }
  }

  /// Indices in the order of a comparison, equals in the order of the rows.
  private static func stable(_ events: [Event], by isBefore: (Event, Event) -> Bool) -> [Int] {
    events.indices.sorted { left, right in
      isBefore(events[left], events[right])
        || !isBefore(events[right], events[left]) && left < right
    }
  }
}
