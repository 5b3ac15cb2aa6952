@testable import SplitstreamServer

/// A random past of an experiment: exposures and events of every kind that the rules of attribution
/// tell apart.
struct ExperimentHistory: Sendable {
  struct Exposure: Sendable {
    let id: ULID
    let unit: UnitID
    let generation: Int
    /// Beyond the last variant: of a variant that the experiment does not have.
    let variant: Int
    let at: Timestamp
    var supersededAt: Timestamp?
  }

  struct Occurrence: Sendable {
    let id: ULID
    let environment: ULID
    let key: String
    let unit: UnitID
    let at: Timestamp
    let receivedAt: Timestamp
    let properties: Properties

    /// What stands at `$.a.value`, in JSON and as the rules see it.
    struct Properties: Sendable {
      let json: String
      let value: EventValue

      init(_ json: String, _ value: EventValue) {
        self.json = #"{"a":{"value":\#(json)},"value":"no number"}"#
        self.value = value
      }
    }
  }

  private static let properties = [
    Occurrence.Properties("12.5", .number(12.5)), .init("-3.25", .number(-3.25)),
    .init("0", .number(0)), .init("7", .number(7)), .init("1e2", .number(100)),
    .init("true", .boolean(true)), .init("false", .boolean(false)), .init("null", .other),
    .init(#""5""#, .other), .init("[1]", .other), .init("1e400", .number(.infinity)),
  ]

  private(set) var exposures: [Exposure] = []
  private(set) var events: [Occurrence] = []
  private(set) var forced: Set<UnitID> = []
  /// Of each unit that has an assignment; others are missing, as erased ones are.
  private(set) var epochs: [UnitID: Int] = [:]

  /// Times lie on a grid of few instants, so that equal ones are common.
  init(of row: ExperimentRow, seed: UInt64, unitCount: Int = 150) throws {
    var random = SplitMix64(seed: seed)
    let start = row.startedAt ?? ServerClock.processTime()
    let now = ServerClock.processTime()
    let hour = 3600
    let span = Int(now.seconds(since: start)) / hour
    // From two days before the start to two days after now; the very instants of start and stop
    // among them.
    var instants = (0..<40).map { _ in
      start.adding(seconds: Int.random(in: -48...span + 48, using: &random) * hour)
    }
    instants += [start, start, start.adding(days: row.maxDurationDays), now.adding(days: -1)]
    if let stoppedAt = row.stoppedAt { instants += [stoppedAt, stoppedAt] }
    for number in 0..<unitCount {
      let unit = try UnitID.named("unit-\(number)")
      if Int.random(in: 0..<10, using: &random) > 0 {
        epochs[unit] = Int.random(in: 1...2, using: &random)
        if Int.random(in: 0..<8, using: &random) == 0 { forced.insert(unit) }
      }
      for generation in 0..<Int.random(in: 0...3, using: &random) {
        let at = instants.randomElement(using: &random) ?? start
        let supersededAt =
          Int.random(in: 0..<4, using: &random) == 0
          ? [now.adding(days: -1), now.adding(days: 9)].randomElement(using: &random) : nil
        exposures.append(
          Exposure(
            id: ULID(time: at, random: (random.next(), random.next())), unit: unit,
            generation: generation + 1,
            variant: Int.random(in: 0...row.variants.count, using: &random),
            at: at, supersededAt: supersededAt))
      }
      for _ in 0..<Int.random(in: 0...5, using: &random) {
        let at = instants.randomElement(using: &random) ?? start
        // On time, at and around the bounds of "late" and "too old", and not yet.
        let days = [0, 0, 0, 6, 7, 8, 30, 31].randomElement(using: &random) ?? 0
        let milliseconds = Int.random(in: -1...1, using: &random)
        let receivedAt = at.adding(days: days).adding(milliseconds: milliseconds)
        events.append(
          Occurrence(
            id: ULID(time: receivedAt, random: (random.next(), random.next())),
            environment: Int.random(in: 0..<8, using: &random) == 0 ? .new() : row.environment,
            key: ["primary", "primary", "guardrail", "other"].randomElement(using: &random) ?? "",
            unit: unit, at: at, receivedAt: receivedAt.wholeMilliseconds,
            properties: Self.properties.randomElement(using: &random) ?? Self.properties[0]))
      }
    }
  }

  /// The same history as `count` that follow each other, in an order of its own: what occurred
  /// first may come last. Assignments are all in the first.
  func parts(_ count: Int, seed: UInt64) -> [ExperimentHistory] {
    var random = SplitMix64(seed: seed)
    var parts = (0..<count).map { _ in ExperimentHistory() }
    parts[0].epochs = epochs
    parts[0].forced = forced
    for exposure in exposures {
      parts[Int.random(in: 0..<count, using: &random)].exposures.append(exposure)
    }
    for event in events {
      parts[Int.random(in: 0..<count, using: &random)].events.append(event)
    }
    return parts
  }

  mutating func append(_ other: ExperimentHistory) {
    exposures += other.exposures
    events += other.events
    forced.formUnion(other.forced)
    epochs.merge(other.epochs) { first, _ in first }
  }

  private init() {}

  /// Takes a unit's assignment away as re-bucketing does, here and in the tables.
  mutating func supersede(_ unit: UnitID, of row: ExperimentRow, in session: PostgresSession) throws
  {
    let now = ServerClock.processTime()
    for index in exposures.indices
    where exposures[index].unit == unit && exposures[index].supersededAt == nil {
      exposures[index].supersededAt = now
    }
    let supersede = Statement(
      name: "history_supersede",
      sql: """
        UPDATE exposure_events SET superseded_at = $3
        WHERE experiment_id = $1 AND unit_id = $2 AND superseded_at IS NULL
        """)
    try session.execute(supersede, [.id(row.id), .text(unit.text), .instant(now)])
  }

  /// Forgets all of a unit, here and in the tables.
  mutating func erase(_ unit: UnitID, of row: ExperimentRow, in session: PostgresSession) throws {
    exposures.removeAll { $0.unit == unit }
    events.removeAll { $0.unit == unit }
    forced.remove(unit)
    epochs[unit] = nil
    for (table, owner) in [
      ("assignments", "experiment_id"), ("exposure_events", "experiment_id"),
      ("events", "environment_id"),
    ] {
      let erase = Statement(
        name: "history_erase_\(table)",
        sql: "DELETE FROM \(table) WHERE \(owner) = $1 AND unit_id = $2")
      try session.execute(
        erase, [.id(owner == "environment_id" ? row.environment : row.id), .text(unit.text)])
    }
  }

  func insert(for row: ExperimentRow, in session: PostgresSession) throws {
    let foreign = ULID.new()
    let units = epochs.keys.sorted { $0.text < $1.text }
    try session.execute(
      Self.assignmentRows,
      [
        .id(row.id), .units(units), .ids(units.map { _ in .new() }), .id(row.variants[0].id),
        .texts(units.map { forced.contains($0) ? "forced" : "bucketed" }),
        .ints(units.map { epochs[$0] ?? 1 }),
      ])
    try session.execute(
      Self.exposureRows,
      [
        .id(row.id), .ids(exposures.map(\.id)), .units(exposures.map(\.unit)),
        .ints(exposures.map(\.generation)),
        .ids(
          exposures.map { $0.variant < row.variants.count ? row.variants[$0.variant].id : foreign }),
        .timestamps(exposures.map(\.at.microseconds)),
        .timestamps(exposures.map { $0.supersededAt?.microseconds }),
      ])
    try session.execute(
      Self.eventRows,
      [
        .ids(events.map(\.id)), .ids(events.map(\.environment)), .texts(events.map(\.key)),
        .units(events.map(\.unit)), .timestamps(events.map(\.at.microseconds)),
        .bools(
          events.map {
            Event.Timing(occurredAt: $0.at, receivedAt: $0.receivedAt) == .late
              || Event.Timing(occurredAt: $0.at, receivedAt: $0.receivedAt) == .tooOld
          }),
        .jsonbs(events.map { [UInt8]($0.properties.json.utf8) }),
      ])
  }

  private static let assignmentRows = Statement(
    name: "history_assignments",
    sql: """
      INSERT INTO assignments (experiment_id, unit_id, assignment_id, variant_id, reason, generation, epoch)
      SELECT $1, unit_id, id, $4, reason, 1, epoch
      FROM unnest($2::text[], $3::uuid[], $5::text[], $6::bigint[]) AS a (unit_id, id, reason, epoch)
      """)
  private static let exposureRows = Statement(
    name: "history_exposures",
    sql: """
      INSERT INTO exposure_events (experiment_id, id, unit_id, generation, variant_id, exposed_at, superseded_at)
      SELECT $1, *
      FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::uuid[], $6::timestamptz[], $7::timestamptz[])
      """)
  private static let eventRows = Statement(
    name: "history_events",
    sql: """
      INSERT INTO events (event_id, environment_id, event_key, unit_id, occurred_at, late, properties)
      SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[],
        $7::jsonb[])
      """)
}

extension Timestamp {
  /// What remains of it in an id.
  var wholeMilliseconds: Timestamp { ULID.floor(of: self).time }
}
