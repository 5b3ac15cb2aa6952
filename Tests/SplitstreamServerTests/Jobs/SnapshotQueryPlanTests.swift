import Testing

@testable import SplitstreamServer

/// How PostgreSQL answers the analysis once there is much to read: each table once, none row by
/// row.
@Suite struct SnapshotQueryPlanTests {
  /// Rows of one experiment and one event key among others'.
  private static let fill = """
    INSERT INTO assignments
      (experiment_id, unit_id, assignment_id, variant_id, reason, generation, epoch)
    SELECT $1, 'unit-' || i, gen_random_uuid(), $2, 'bucketed', 1, 1 FROM generate_series(1, 20000) i
    """
  private static let exposures = """
    INSERT INTO exposure_events (id, experiment_id, unit_id, generation, variant_id)
    SELECT assignment_id, experiment_id, unit_id, 1, variant_id FROM assignments WHERE experiment_id = $1
    """
  private static let events = """
    INSERT INTO events (event_id, environment_id, event_key, unit_id, occurred_at, late)
    SELECT gen_random_uuid(), CASE WHEN i % 50 = 0 THEN $1 ELSE gen_random_uuid() END, 'primary',
      'unit-' || i, now(), false
    FROM generate_series(1, 100000) i
    """

  @Test("the analysis finds its events by the index and joins them whole")
  func plans() throws {
    let stores = try StorageTesting.separate()
    let row = ExperimentRow { $0.metricEvents = ["primary"] }
    let session = try stores.session()
    try row.insert(in: session)
    for (name, sql, values) in [
      ("fill", Self.fill, [.id(row.id), .id(row.variants[0].id)]),
      ("exposures", Self.exposures, [.id(row.id)]),
      ("events", Self.events, [.id(row.environment)]),
    ] as [(String, String, [PostgresValue])] {
      _ = try session.execute(Statement(name: name, sql: sql), values)
    }
    try session.script("ANALYZE")
    let plan = try session.transaction { () throws(PostgresError) in
      _ = try ResultStore(session: session).begin()
      let now = "timestamptz '2999-01-01'"
      try session.script("PREPARE conversions AS \(ResultStore.countConversions.sql)")
      let explain = Statement(
        name: "explain",
        sql: """
          EXPLAIN EXECUTE conversions('\(row.id.uuidText)', timestamptz '2000-01-01', \(now), \(now),
            '\(row.environment.uuidText)', 'primary', 'ffffffff-ffff-ffff-ffff-ffffffffffff')
          """)
      return try session.rows(explain, []) { row throws(PostgresError) in try row.text(0) }
    }
    let text = plan.joined(separator: "\n")
    #expect(!text.contains("Nested Loop"), "\(text)")
    #expect(text.contains("environment_id_event_key"), "\(text)")
    #expect(!text.contains("Seq Scan on events"), "\(text)")
  }
}
