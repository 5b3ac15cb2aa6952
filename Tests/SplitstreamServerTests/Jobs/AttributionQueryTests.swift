import Logging
import Testing

@testable import SplitstreamServer

/// The rules of attribution in SQL against the same rules in memory, on random histories.
@Suite struct AttributionQueryTests {
  /// The numbers of one snapshot that attribution decides.
  private struct Counts: Equatable {
    var units: [Int]
    var conversions: [[Int]]
    var late: [Int]
    var multiVariantUnits: Int
    /// Units by weight epoch.
    var phases: [[Int]]
  }

  @Test(
    "a snapshot counts what the rules count",
    arguments: (0..<12).map { UInt64($0) })
  func agrees(seed: UInt64) async throws {
    let stores = try StorageTesting.shared()
    let now = ServerClock.processTime()
    let row = ExperimentRow(variantCount: 3) {
      $0.startedAt = now.adding(days: -36)
      // Running, stopped a while ago, or beyond its horizon, in turn.
      $0.maxDurationDays = seed % 3 == 0 ? 20 : 60
      if seed % 3 == 1 {
        $0.status = "stopped"
        $0.stoppedAt = now.adding(days: -3)
      }
      $0.metricEvents = ["primary", "guardrail"]
    }
    let session = try stores.session()
    try row.insert(in: session)
    try row.addEpoch(2, weights: [40, 40, 20], in: session)
    let history = try ExperimentHistory(of: row, seed: seed)
    try history.insert(for: row, in: session)

    let job = AnalysisJob(postgres: try PostgresAddress(parsing: stores.postgresURL), log: .silent)
    defer { job.stop() }
    let snapshot = try JSONValue(parsing: await job.compute(row.id, peek: .sample(row)))
    let asOf = try #require(snapshot["as_of"]?.string.flatMap { Timestamp(rfc3339: $0) })
    let expected = try Self.counts(row, history, asOf: asOf)
    #expect(try counts(snapshot, of: row, in: stores) == expected)
    // The histories must be worth comparing.
    #expect(expected.units.allSatisfy { $0 > 5 } && expected.multiVariantUnits > 0)
    #expect(expected.conversions[0].allSatisfy { $0 > 0 } && expected.late[0] > 0)
  }

  private func counts(
    _ snapshot: JSONValue, of row: ExperimentRow, in stores: StorageTesting
  ) throws -> Counts {
    let metrics = try #require(snapshot["metrics"]?.elements)
    let inputs = try JSONValue(
      text: stores.texts(
        "SELECT inputs::text FROM analysis_snapshots WHERE experiment_id = $1", .id(row.id))[0])
    func numbers(_ list: JSONValue?, _ name: String) -> [Int] {
      list?.elements.compactMap { $0[member: name]?.integer } ?? []
    }
    return Counts(
      units: numbers(snapshot["per_variant"], "sample_size"),
      conversions: metrics.map { numbers($0["per_variant"], "conversions") },
      late: metrics.compactMap { $0["late_event_count"]?.integer },
      multiVariantUnits: try #require(snapshot["multi_variant_units"]?.integer),
      phases: inputs["phases"]?.elements.map { phase in
        phase["counts"]?.elements.compactMap(\.integer) ?? []
      } ?? [])
  }

  // MARK: In memory

  private static func counts(
    _ row: ExperimentRow, _ history: ExperimentHistory, asOf: Timestamp
  ) throws -> Counts {
    let frame = Attribution.Frame(
      variants: row.variants.map(\.key), startedAt: row.startedAt ?? asOf, asOf: asOf,
      stoppedAt: row.stoppedAt, maxDurationDays: row.maxDurationDays, forcedUnits: history.forced)
    let results = try row.metricEvents.map {
      try attribution(frame, $0, row, history) { _ in true }
    }
    let phases = try (1...2).map { epoch in
      try attribution(frame, "primary", row, history) { (history.epochs[$0] ?? 1) == epoch }
    }
    return Counts(
      units: results[0].perVariant.map(\.units),
      conversions: results.map { $0.perVariant.map(\.conversions) },
      late: results.map(\.lateEventCount), multiVariantUnits: results[0].multiVariantUnits,
      phases: phases.map { $0.perVariant.map(\.units) })
  }

  private static func attribution(
    _ frame: Attribution.Frame, _ eventKey: String, _ row: ExperimentRow,
    _ history: ExperimentHistory, _ isIncluded: (UnitID) -> Bool
  ) throws -> Attribution {
    // Rows are in the order of their ids; an id is no part of the reference.
    let exposures = history.exposures.sorted { $0.id < $1.id }.filter { isIncluded($0.unit) }
    let events = history.events.sorted { $0.id < $1.id }.filter {
      $0.environment == row.environment
    }
    return Attribution(
      frame,
      metric: MetricReading(
        eventKey: eventKey, kind: .binary, aggregation: .count,
        dedupWindow: try #require(ISODuration("P7D")), path: nil),
      exposures: exposures.map {
        Attribution.Exposure(
          unit: $0.unit, variant: $0.variant < row.variants.count ? "v\($0.variant)" : "foreign",
          at: $0.at, supersededAt: $0.supersededAt)
      },
      events: events.map {
        Attribution.Event(
          unit: $0.unit, eventKey: $0.key, occurredAt: $0.at, receivedAt: $0.receivedAt,
          clientEventID: nil, value: .unread)
      })
  }
}

extension AuditEntry {
  /// The peek that a request for a snapshot records.
  static func sample(_ row: ExperimentRow) -> AuditEntry {
    AuditEntry(
      id: .new(),
      actor: Actor(workspaceID: row.workspace, environmentID: row.environment, keyID: nil),
      action: "experiment.peeked", targetType: "experiment", targetID: row.id,
      payload: [UInt8]("{}".utf8))
  }
}
