import Logging
import Testing

@testable import SplitstreamServer

/// The rules of attribution in SQL against the same rules in memory, on random histories that
/// arrive in parts: a snapshot after each, and each brought forward from the one before.
@Suite struct AttributionQueryTests {
  /// The numbers of one snapshot that attribution decides.
  private struct Counts: Equatable {
    var units: [Int]
    var conversions: [[Int]]
    var late: [Int]
    var invalid: [Int]
    var multiVariantUnits: Int
    /// Units by weight epoch, and those of them that converted on the primary metric.
    var phases: [[Int]]
    var conversionsByPhase: [[Int]]
  }

  /// One of each way to sum up a unit's events.
  private static let metrics: [MetricDefinition] = {
    func metric(
      _ event: String, _ kind: Metric.Kind, _ aggregation: Metric.Aggregation = .count,
      window: String = "P7D", path: String? = nil
    ) -> MetricDefinition {
      MetricDefinition(
        key: event, name: "", eventKey: event, kind: kind, aggregation: aggregation,
        unitDedupWindow: window, propertyPath: path.flatMap(PropertyPath.init(_:)))
    }
    let path = "$.a.value"
    return [
      metric("primary", .binary), metric("guardrail", .binary),
      metric("primary", .binary, path: path), metric("primary", .count),
      metric("primary", .count, window: "PT0S"), metric("primary", .count, path: path),
      metric("primary", .revenue, .sum, path: path),
      metric("primary", .duration, .mean, path: path), metric("primary", .revenue, .sum),
    ]
  }()

  @Test(
    "every snapshot counts what the rules count, also one that continues another",
    arguments: (0..<6).map { UInt64($0) })
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
      $0.metrics = Self.metrics
    }
    let session = try stores.session()
    try row.insert(in: session)
    try row.addEpoch(2, weights: [40, 40, 20], in: session)
    let job = try AnalysisJob.on(stores)
    defer { job.stop() }

    var random = SplitMix64(seed: seed)
    var history: ExperimentHistory?
    for part in try ExperimentHistory(of: row, seed: seed, unitCount: 400).parts(4, seed: seed) {
      try part.insert(for: row, in: session)
      var sofar = history ?? part
      if history != nil { sofar.append(part) }
      for _ in 0..<3 {
        if let unit = sofar.exposures.randomElement(using: &random)?.unit {
          try sofar.supersede(unit, of: row, in: session)
        }
      }
      if let unit = sofar.exposures.randomElement(using: &random)?.unit {
        try sofar.erase(unit, of: row, in: session)
      }
      history = sofar
      try await compare(row, sofar, job, stores)
    }
    // The histories must be worth comparing.
    let last = try JSONValue(parsing: await job.compute(row.id, peek: .sample(row)))
    let counts = try counts(last, of: row, in: stores)
    #expect(counts.units.allSatisfy { $0 > 5 } && counts.multiVariantUnits > 0)
    // All but the last metric, whose path leads to a text.
    #expect(counts.conversions.dropLast().allSatisfy { $0.contains { $0 > 0 } })
    #expect(counts.late[0] > 0 && counts.invalid[6] > 0)
    try await rebuild(row, job, stores)
  }

  private func compare(
    _ row: ExperimentRow, _ history: ExperimentHistory, _ job: AnalysisJob, _ stores: StorageTesting
  ) async throws {
    let snapshot = try JSONValue(parsing: await job.compute(row.id, peek: .sample(row)))
    let asOf = try #require(snapshot["as_of"]?.string.flatMap { Timestamp(rfc3339: $0) })
    let frame = Attribution.Frame(
      variants: row.variants.map(\.key), startedAt: row.startedAt ?? asOf, asOf: asOf,
      stoppedAt: row.stoppedAt, maxDurationDays: row.maxDurationDays, forcedUnits: history.forced)
    #expect(try counts(snapshot, of: row, in: stores) == Self.counts(row, history, frame))
    let metrics = try inputs(of: row, in: stores)["metrics"]?.elements.map { $0 } ?? []
    for (definition, stored) in zip(row.metrics, metrics) where definition.kind != .binary {
      let reference = try Self.attribution(frame, definition, row, history) { _ in true }
      let arms = stored["sample"]?.elements.map { $0 } ?? []
      for (sums, arm) in zip(reference.perVariant, arms) {
        let (mean, variance) = Self.moments(sums, definition)
        let estimate = try #require(arm["mean"]?.double ?? arm["ratio"]?.double)
        #expect(abs(estimate - mean) <= 1e-9 * (1 + abs(mean)))
        #expect(
          abs(try #require(arm["variance"]?.double) - variance) <= 1e-9 * (1 + abs(variance)))
      }
    }
  }

  /// What was brought forward is, row for row, what is made from nothing.
  private func rebuild(_ row: ExperimentRow, _ job: AnalysisJob, _ stores: StorageTesting)
    async throws
  {
    let state = AnalysisState(stores: stores, experiment: row.id)
    let brought = try state.rows()
    try state.forget()
    _ = try await job.compute(row.id, peek: .sample(row))
    #expect(try state.rows() == brought)
    #expect(brought.count > 200)
    try state.forget()
    try bringInParts(row, stores)
    #expect(try state.rows() == brought)
  }

  /// From nothing, in two parts, as if it were much.
  private func bringInParts(_ row: ExperimentRow, _ stores: StorageTesting) throws {
    let session = try stores.session()
    defer { session.close() }
    try session.transaction { () throws(PostgresError) in
      let results = ResultStore(session: session)
      let asOf = try results.begin()
      guard let experiment = try results.experiment(row.id), let start = experiment.startedAt
      else { throw .decoding("no experiment") }
      let named =
        [experiment.definition.primaryMetricID!] + experiment.definition.guardrailMetricIDs
      let known = try results.metrics(named)
      _ = try UnitStore(session: session, manyRows: 0).bringForward(
        experiment, named.compactMap { known[$0] },
        to: ResultStore.Period(experiment, startedAt: start, asOf: asOf))
    }
  }

  private func inputs(of row: ExperimentRow, in stores: StorageTesting) throws -> JSONValue {
    try JSONValue(
      text: stores.texts(
        """
        SELECT inputs::text FROM analysis_snapshots WHERE experiment_id = $1 ORDER BY id DESC LIMIT 1
        """, .id(row.id))[0])
  }

  private func counts(
    _ snapshot: JSONValue, of row: ExperimentRow, in stores: StorageTesting
  ) throws -> Counts {
    let metrics = try #require(snapshot["metrics"]?.elements)
    let inputs = try inputs(of: row, in: stores)
    func numbers(_ list: JSONValue?, _ name: String) -> [Int] {
      list?.elements.compactMap { $0[member: name]?.integer } ?? []
    }
    return Counts(
      units: numbers(snapshot["per_variant"], "sample_size"),
      conversions: metrics.map { numbers($0["per_variant"], "conversions") },
      late: metrics.compactMap { $0["late_event_count"]?.integer },
      invalid: metrics.compactMap { $0["invalid_value_count"]?.integer },
      multiVariantUnits: try #require(snapshot["multi_variant_units"]?.integer),
      phases: inputs["phases"]?.elements.map { phase in
        phase["counts"]?.elements.compactMap(\.integer) ?? []
      } ?? [],
      conversionsByPhase: inputs["conversions_by_phase"]?.elements.map { phase in
        phase.elements.compactMap(\.integer)
      } ?? [])
  }

  // MARK: In memory

  private static func counts(
    _ row: ExperimentRow, _ history: ExperimentHistory, _ frame: Attribution.Frame
  ) throws -> Counts {
    let results = try row.metrics.map { try attribution(frame, $0, row, history) { _ in true } }
    let phases = try (1...2).map { epoch in
      try attribution(frame, row.metrics[0], row, history) { (history.epochs[$0] ?? 1) == epoch }
    }
    return Counts(
      units: results[0].perVariant.map(\.units),
      conversions: results.map { $0.perVariant.map(\.conversions) },
      late: results.map(\.lateEventCount), invalid: results.map(\.invalidValueCount),
      multiVariantUnits: results[0].multiVariantUnits,
      phases: phases.map { $0.perVariant.map(\.units) },
      conversionsByPhase: phases.map { $0.perVariant.map(\.conversions) })
  }

  private static func moments(_ sums: UnitSums, _ metric: MetricDefinition)
    -> (mean: Double, variance: Double)
  {
    if metric.aggregation == .mean {
      let moments = RatioMoments(
        units: sums.units, sum: sums.sum, count: sums.count, sumSquares: sums.sumSquares,
        countSquares: sums.countSquares, sumCountProducts: sums.sumCountProducts)
      return (moments.ratio, moments.variance)
    }
    let moments = UnitMoments(units: sums.units, sum: sums.sum, sumSquares: sums.sumSquares)
    return (moments.mean, moments.variance)
  }

  private static func attribution(
    _ frame: Attribution.Frame, _ metric: MetricDefinition, _ row: ExperimentRow,
    _ history: ExperimentHistory, _ isIncluded: (UnitID) -> Bool
  ) throws -> Attribution {
    // Rows are in the order of their ids; an id is no part of the reference.
    let exposures = history.exposures.sorted { $0.id < $1.id }.filter { isIncluded($0.unit) }
    let events = history.events.sorted { $0.id < $1.id }.filter {
      $0.environment == row.environment
    }
    let reading = MetricReading(
      eventKey: metric.eventKey, kind: metric.kind, aggregation: metric.aggregation,
      dedupWindow: try #require(ISODuration(metric.unitDedupWindow)), path: metric.propertyPath)
    return Attribution(
      frame, metric: reading,
      exposures: exposures.map {
        Attribution.Exposure(
          unit: $0.unit, variant: $0.variant < row.variants.count ? "v\($0.variant)" : "foreign",
          at: $0.at, supersededAt: $0.supersededAt)
      },
      events: events.map {
        Attribution.Event(
          unit: $0.unit, eventKey: $0.key, occurredAt: $0.at, receivedAt: $0.receivedAt,
          clientEventID: nil, value: value(of: $0, reading))
      })
  }

  private static func value(
    of event: ExperimentHistory.Occurrence, _ reading: MetricReading
  ) -> EventValue {
    switch reading.path?.text {
    case nil: .unread
    // What stands at the default path of every event is a text.
    case "$.value": .other
    default: event.properties.value
    }
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
