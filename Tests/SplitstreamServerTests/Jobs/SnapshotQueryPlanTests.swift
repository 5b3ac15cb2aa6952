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

  private static let sample = """
    INSERT INTO sample_units (series_id, unit_id, variant_id, epoch, exposed_at, has_several, run)
    SELECT 1, 'unit-' || i, $1, 1, now(), false, 1 FROM generate_series(1, 20000) i
    """

  @Test("a first snapshot finds its events by the index and joins them whole, then groups them")
  func anew() throws {
    let (stores, row) = try filled()
    let text = try plan(row, stores, continues: false)
    #expect(text.contains("Hash Join"), "\(text)")
    #expect(text.contains("environment_id_event_key"), "\(text)")
    #expect(!text.contains("Seq Scan on events"), "\(text)")
    #expect(text.contains("GroupAggregate"), "\(text)")
    // What is looked up of a unit lies where its group says.
    #expect(text.split(separator: "Nested Loop").count == 2 && text.contains("Tid Scan"), "\(text)")
  }

  /// Statistics that were never made, as right after a first snapshot, must not matter.
  @Test(
    "one that continues another reads what was committed since, and looks its units up",
    arguments: [true, false])
  func continued(isAnalyzed: Bool) throws {
    let (stores, row) = try filled(isAnalyzed: isAnalyzed)
    let text = try plan(row, stores, continues: true)
    #expect(text.contains("committed_in >= "), "\(text)")
    for index in ["sample_units_pkey", "unit_values_pkey"] {
      #expect(text.contains("Index Scan using \(index)"), "\(text)")
    }
    for unit in ["w.unit_id", "measured_1.unit_id", "rest.unit_id"] {
      #expect(text.contains("unit_id = \(unit)"), "\(text)")
    }
    #expect(text.contains("Index Scan using unit_values_pkey on unit_values v "), "\(text)")
    #expect(text.contains("hashed SubPlan"), "\(text)")
    for whole in ["Seq Scan", "Hash Join", "Merge Join"] {
      #expect(!text.contains(whole), "\(text)")
    }
  }

  private func filled(isAnalyzed: Bool = true) throws -> (StorageTesting, ExperimentRow) {
    let stores = try StorageTesting.separate()
    let row = ExperimentRow { $0.metricEvents = ["primary"] }
    let session = try stores.session()
    try row.insert(in: session)
    for (name, sql, values) in [
      ("fill", Self.fill, [.id(row.id), .id(row.variants[0].id)]),
      ("exposures", Self.exposures, [.id(row.id)]),
      ("events", Self.events, [.id(row.environment)]),
      ("sample", Self.sample, [.id(row.variants[0].id)]),
    ] as [(String, String, [PostgresValue])] {
      _ = try session.execute(Statement(name: name, sql: sql), values)
    }
    if isAnalyzed { try session.script("ANALYZE") }
    return (stores, row)
  }

  /// Planned under the settings of `UnitStore`.
  private func plan(
    _ row: ExperimentRow, _ stores: StorageTesting, continues: Bool
  ) throws -> String {
    let session = try stores.session()
    return try session.transaction { () throws(PostgresError) in
      _ = try ResultStore(session: session).begin()
      try session.script(UnitStore.settings(continues ? .ofValues : .anew))
      let statement = continues ? UnitStatements.bringValues : UnitStatements.beginValues
      try session.script("PREPARE bring AS \(statement.sql)")
      let (now, id) = ("timestamptz '2999-01-01'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'")
      let last = continues ? ", pg_current_snapshot()::text, \(now), \(id), NULL, \(now), 2" : ""
      let explain = Statement(
        name: "explain",
        sql: """
          EXPLAIN EXECUTE bring(2, 1, '\(row.environment.uuidText)', 'primary', '2000-01-01', \(now), \(id),
            'binary', NULL, 0\(last))
          """)
      return try session.rows(explain, []) { row throws(PostgresError) in try row.text(0) }
    }.joined(separator: "\n")
  }
}
