import Testing

@testable import SplitstreamServer

/// What is kept of units goes on from where it was: only where it means the same, and also without
/// a snapshot.
@Suite struct BringForwardTests {
  @Test("a metric that measures something else between two snapshots is read anew")
  func changedMetric() async throws {
    let stores = try StorageTesting.shared()
    let session = try stores.session()
    let row = ExperimentRow(variantCount: 3) {
      $0.startedAt = ServerClock.processTime().adding(days: -36)
      $0.maxDurationDays = 60
      $0.metricEvents = ["primary", "guardrail"]
    }
    try row.insert(in: session)
    try row.addEpoch(2, weights: [40, 40, 20], in: session)
    try ExperimentHistory(of: row, seed: 3).insert(for: row, in: session)
    let job = try AnalysisJob.on(stores)
    defer { job.stop() }
    _ = try await job.compute(row.id, peek: .sample(row))
    let state = AnalysisState(stores: stores, experiment: row.id)
    let before = try state.rows()
    for change in [
      "event_key = 'primary'", "kind = 'count', unit_dedup_window = 'PT0S'",
      "kind = 'revenue', aggregation = 'sum', property_path = '$.a.value'",
      "aggregation = 'mean'", "unit_dedup_window = 'PT1H', aggregation = 'count'",
    ] {
      let statement = Statement(
        name: "change_\(change)",
        sql: """
          UPDATE metrics SET \(change) WHERE id IN (
            SELECT metric_id FROM guardrail_metrics WHERE experiment_id = $1)
          """)
      try session.execute(statement, [.id(row.id)])
      _ = try await job.compute(row.id, peek: .sample(row))
      let brought = try state.rows()
      try state.forget()
      _ = try await job.compute(row.id, peek: .sample(row))
      #expect(try state.rows() == brought, "\(change)")
      #expect(brought != before, "\(change)")
    }
  }

  @Test("an experiment with many new events is brought forward without a snapshot, no other is")
  func broughtForward() async throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let rows = (0..<2).map { _ in
      ExperimentRow(variantCount: 3) {
        $0.startedAt = ServerClock.processTime().adding(days: -36)
        $0.maxDurationDays = 60
        $0.cadenceMinutes = 24 * 60
        $0.metricEvents = ["guardrail", "primary"]
      }
    }
    let asked = try AnalysisJob.on(stores)
    defer { asked.stop() }
    var later: [[ExperimentHistory]] = []
    for (seed, row) in zip(UInt64(7)..., rows) {
      try row.insert(in: session)
      try row.addEpoch(2, weights: [40, 40, 20], in: session)
      let parts = try ExperimentHistory(of: row, seed: seed, unitCount: 300).parts(3, seed: seed)
      try parts[0].insert(for: row, in: session)
      _ = try await asked.compute(row.id, peek: .sample(row))
      later.append(Array(parts.dropFirst()))
    }
    let units = UnitStore(session: session)
    try #expect(units.behind(by: 1) == [])

    let (ahead, behind) = (rows[0], rows[1])
    let job = try AnalysisJob.on(stores, bringForwardEvents: 50)
    defer { job.stop() }
    job.start(everySeconds: 1)
    let runs = "SELECT count(*) FROM analysis_series WHERE subject_id = experiment_id"
    let chunk = Statement(
      name: "chunk", sql: "INSERT INTO drained_chunks (chunk_id, event_count) VALUES ($1, 50)")
    // The first look needs no reason; the second one needs a chunk, as the drain leaves it.
    for (part, run) in zip(later[1], 2...) {
      let new = part.events.count { $0.environment == behind.environment && $0.key == "primary" }
      #expect(new >= 50)
      try part.insert(for: behind, in: session)
      try session.execute(chunk, [.id(.new())])
      try await stores.waitUntil(
        "\(runs) AND run = \(run) AND experiment_id = '\(behind.id.uuidText)'")
    }
    try #expect(stores.count("\(runs) AND run = 1 AND experiment_id = $1", .id(ahead.id)) == 1)
    try #expect(stores.count("SELECT count(*) FROM analysis_snapshots") == 2)
    try #expect(stores.count("SELECT sum(peek_count)::int8 FROM experiments") == 2)

    let state = AnalysisState(stores: stores, experiment: behind.id)
    let brought = try state.rows()
    try state.forget()
    _ = try await asked.compute(behind.id, peek: .sample(behind))
    try #expect(state.rows() == brought)
    #expect(brought.count > 100)
  }

  @Test("an experiment is behind from the event on that makes as many as asked for")
  func behind() async throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let row = ExperimentRow { $0.metricEvents = ["guardrail", "primary"] }
    try row.insert(in: session)
    let job = try AnalysisJob.on(stores)
    defer { job.stop() }
    let units = UnitStore(session: session)
    // Nothing is kept of it that could be brought forward.
    let add = Statement(
      name: "add",
      sql: """
        INSERT INTO events (event_id, environment_id, event_key, unit_id, occurred_at, late)
        SELECT gen_random_uuid(), $1, $2, 'unit', now(), false FROM generate_series(1, 3)
        """)
    try session.execute(add, [.id(row.environment), .text("primary")])
    try #expect(units.behind(by: 3) == [])
    _ = try await job.compute(row.id, peek: .sample(row))
    try #expect(units.behind(by: 1) == [])
    for key in ["primary", "guardrail", "other"] {
      try session.execute(add, [.id(row.environment), .text(key)])
    }
    try #expect(units.behind(by: 3) == [row.id])
    try #expect(units.behind(by: 4) == [])
    let before = try units.now()
    let drained = Statement(
      name: "drained", sql: "INSERT INTO drained_chunks (chunk_id, event_count) VALUES ($1, $2)")
    for count in [40, 2] { try session.execute(drained, [.id(.new()), .int(count)]) }
    try #expect(units.storedEvents(since: before) == 42)
    try #expect(units.storedEvents(since: units.now()) == 0)
    try session.execute(
      Statement(name: "stop", sql: "UPDATE experiments SET status = 'stopped' WHERE id = $1"),
      [.id(row.id)])
    try #expect(units.behind(by: 3) == [])
  }
}
