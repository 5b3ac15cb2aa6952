import Glibc
import Logging
import Testing

@testable import SplitstreamServer

/// Whoever dies in the middle of an analysis: what was published stays, and the next snapshot is
/// what it would have been.
@Suite struct AnalysisRecoveryTests {
  private static let waiting = """
    SELECT (count(*) > 0)::int FROM pg_locks
    WHERE relation = 'analysis_snapshots'::regclass AND NOT granted
    """

  @Test("a server killed in mid-analysis leaves the last good snapshot; the next server repeats it")
  func killed() async throws {
    let pepper = Pepper.random()
    let stores = TestStores(
      postgresURL: try TestServers.shared.postgresURL(database: "recovery"),
      redisURL: TestServers.shared.redisDatabaseURL(), pepper: try Pepper(pepper))
    try stores.migrate()
    let tenant = try stores.makeTenant(environments: ["dev"])
    let storage = StorageTesting(postgresURL: stores.postgresURL, redisURL: stores.redisURL)
    let session = try stores.session()
    let environment = try #require(ULID(tenant.dev))
    let row = Self.row(in: tenant.workspace, environment)
    try row.insert(in: session)
    try row.addEpoch(2, weights: [40, 40, 20], in: session)
    let parts = try ExperimentHistory(of: row, seed: 1, unitCount: 300).parts(2, seed: 1)
    try parts[0].insert(for: row, in: session)
    let state = AnalysisState(stores: storage, experiment: row.id)

    let folder = try TemporaryFolder()
    var settings = ServerProcess.settings()
    settings["postgres.url"] = "\"\(stores.postgresURL)\""
    settings["redis.url"] = "\"\(stores.redisURL)\""
    settings["security.pepper"] = "\"\(pepper)\""
    settings["analysis.tick_seconds"] = "1"
    settings["postgres.timeout_seconds"] = "20"
    settings["redis.timeout_seconds"] = "20"
    let first = try ServerProcess(in: folder, settings)
    try await storage.waitUntil("SELECT count(*) FROM analysis_snapshots")
    try await onThread {
      first.signal(SIGTERM)
      #expect(first.wait() == 0)
    }
    let (snapshots, kept) = (
      "SELECT id::text FROM analysis_snapshots ORDER BY id", try state.rows()
    )
    let published = try storage.texts(snapshots)

    // The second snapshot stops just before it is stored, all units brought forward.
    try parts[1].insert(for: row, in: session)
    try session.script("UPDATE analysis_snapshots SET computed_at = computed_at - interval '1 day'")
    try session.script("BEGIN; LOCK TABLE analysis_snapshots IN SHARE MODE")
    let second = try ServerProcess(in: folder, settings)
    try await storage.waitUntil(Self.waiting)
    // Whoever asks for results does not wait with it.
    let results = try await onThread {
      let client = try TestClient(port: second.port)
      try client.send(
        "GET /v1/experiments/\(row.id)/results HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(tenant.key)\r\n\r\n"
      )
      return try client.answer()
    }
    #expect(results.status == 200)
    try await storage.waitUntil(Self.waiting)
    try await onThread {
      second.signal(SIGKILL)
      #expect(second.wait() & 0x7f == SIGKILL)
    }
    try session.script("COMMIT")
    try await storage.waitUntil(
      "SELECT (count(*) = 0)::int FROM pg_stat_activity WHERE application_name = 'splitstream analysis' "
        + "AND datname = current_database()")
    try #expect(storage.texts(snapshots) == published)
    try #expect(state.rows() == kept)

    let third = try ServerProcess(in: folder, settings)
    try await storage.waitUntil("SELECT (count(*) = 2)::int FROM analysis_snapshots")
    try await onThread {
      third.signal(SIGTERM)
      #expect(third.wait() == 0)
    }
    try await expectComplete(state, row, storage)
  }

  @Test("after a crash of PostgreSQL what was kept is gone as a whole and made again")
  func crashed() async throws {
    let postgres = TestPostgres()
    defer { postgres.remove() }
    try await onThread { postgres.start() }
    let storage = StorageTesting(postgresURL: postgres.url("postgres"), redisURL: "")
    var session = try storage.session()
    _ = try Migrator(session: session).apply(Schema.migrations)
    let row = Self.row()
    try row.insert(in: session)
    try row.addEpoch(2, weights: [40, 40, 20], in: session)
    let parts = try ExperimentHistory(of: row, seed: 2, unitCount: 300).parts(2, seed: 2)
    try parts[0].insert(for: row, in: session)
    let job = try AnalysisJob.on(storage)
    defer { job.stop() }
    _ = try await job.compute(row.id, peek: .sample(row))
    let state = AnalysisState(stores: storage, experiment: row.id)
    try #expect(state.rows().count > 100)

    try await onThread {
      postgres.kill()
      postgres.start()
    }
    session = try storage.session()
    try #expect(storage.count("SELECT count(*) FROM analysis_snapshots") == 1)
    for table in ["analysis_series", "sample_units", "unit_values", "unit_sums", "changed_units"] {
      try #expect(storage.count("SELECT count(*) FROM \(table)") == 0)
    }
    try parts[1].insert(for: row, in: session)
    // Its connection died with the server: the first call may still find that out.
    _ = try? await job.compute(row.id, peek: .sample(row))
    _ = try await job.compute(row.id, peek: .sample(row))
    try await expectComplete(state, row, storage)
  }

  /// What is kept now is, row for row, what is made from nothing.
  private func expectComplete(
    _ state: AnalysisState, _ row: ExperimentRow, _ storage: StorageTesting
  ) async throws {
    let brought = try state.rows()
    #expect(brought.count > 100)
    try state.forget()
    let job = try AnalysisJob.on(storage)
    defer { job.stop() }
    _ = try await job.compute(row.id, peek: .sample(row))
    try #expect(state.rows() == brought)
  }

  private static func row(in workspace: ULID = .new(), _ environment: ULID = .new())
    -> ExperimentRow
  {
    ExperimentRow(workspace: workspace, environment: environment, variantCount: 3) {
      $0.startedAt = ServerClock.processTime().adding(days: -36)
      $0.maxDurationDays = 60
      $0.metricEvents = ["primary", "guardrail"]
    }
  }
}
