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

  @Test(
    "a first snapshot finds its events by the index and joins them whole, then groups them",
    arguments: [1, 2])
  func anew(parts: Int) throws {
    let (stores, row) = try filled()
    let text = try firstPlan(row, stores, parts: parts)
    #expect(text.contains("Hash Join"), "\(text)")
    #expect(text.contains("environment_id_event_key"), "\(text)")
    #expect(!text.contains("Seq Scan on events"), "\(text)")
    #expect(text.contains("GroupAggregate"), "\(text)")
    #expect(!text.contains("Nested Loop"), "\(text)")
    // The parts have the workers, not their steps.
    #expect(!text.contains("Gather"), "\(text)")
    // In one part nothing is asked of the events; of the sample it always is.
    #expect((text.split(separator: "hashtext").count > 2) == (parts > 1), "\(text)")
  }

  /// Which part ran in which process.
  private struct Answer: Hashable {
    let part: String
    let process: Int
  }

  @Test("what is read from nothing is read in two parts by workers when it is much")
  func workers() throws {
    let (stores, row) = try filled(isAnalyzed: false)
    let session = try stores.session()
    let own = try processes("SELECT 'own', pg_backend_pid()", in: session).map(\.process)
    let (exposures, values) = (Self.exposureProcesses(row), Self.valueProcesses(row))
    // Without its help, so that no part is over before a worker has come.
    try session.script("SET parallel_leader_participation = off")
    for call in [exposures, values] {
      var answers = Set<Answer>()
      // Another test's query may hold all workers for a moment.
      let deadline = PostgresSession.Deadline(afterSeconds: 20)
      while deadline.remainingMilliseconds > 0 {
        answers = Set(try processes(call(0), in: session))
        #expect(answers.map(\.part).sorted() == ["0/2", "1/2"])
        if answers.allSatisfy({ !own.contains($0.process) }) { break }
      }
      #expect(answers.allSatisfy { !own.contains($0.process) }, "\(answers)")
      let few = try processes(call(100_000), in: session)
      #expect(few == [Answer(part: "0/1", process: own[0])])
    }
    for limit in ["max_parallel_workers_per_gather", "max_parallel_workers"] {
      try session.script("SET \(limit) = 0")
      for call in [exposures, values] {
        #expect(try processes(call(0), in: session) == [Answer(part: "0/1", process: own[0])])
      }
      try session.script("RESET \(limit)")
    }
  }

  private func processes(_ sql: String, in session: PostgresSession) throws -> [Answer] {
    let name = "processes \(sql.hashValue)"
    return try session.rows(Statement(name: name, sql: sql), []) { row throws(PostgresError) in
      Answer(part: try row.text(0), process: try row.int(1))
    }
  }

  private static func exposureProcesses(_ row: ExperimentRow) -> (Int) -> String {
    { many in
      """
      SELECT unit_id, epoch FROM first_exposures(
        \(many), 'SELECT $5 || ''/'' || $6, NULL::uuid, pg_backend_pid()::bigint, now(), false',
        '\(row.id.uuidText)', now(), now(), now())
      """
    }
  }

  private static func valueProcesses(_ row: ExperimentRow) -> (Int) -> String {
    { many in
      """
      SELECT unit_id, epoch FROM first_values(
        \(many), 'SELECT $11 || ''/'' || $12, NULL::uuid, pg_backend_pid()::bigint, now(), false, 0.0,
          0::bigint, 0::bigint, 0::bigint, NULL::timestamptz[]',
        2, 1, '\(row.environment.uuidText)', 'primary', now(), now(), NULL, 'binary', NULL, 0)
      """
    }
  }

  /// Statistics that were never made, as right after a first snapshot, must not matter.
  @Test(
    "one that continues another reads what was committed since, and looks its units up",
    arguments: [true, false])
  func continued(isAnalyzed: Bool) throws {
    let (stores, row) = try filled(isAnalyzed: isAnalyzed)
    let text = try continuedPlan(row, stores)
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

  /// Planned under the settings of `first_values`, in a server whose workers cost nothing.
  private func firstPlan(
    _ row: ExperimentRow, _ stores: StorageTesting, parts: Int
  ) throws -> String {
    let settings = try stores.texts(
      """
      SELECT concat(split_part(s, '=', 1), ' = ', quote_literal(split_part(s, '=', 2)))
      FROM pg_proc, unnest(proconfig) s WHERE proname = 'first_values'
      """)
    let free = ["parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"]
    let all = free.map { "\($0) = 0" } + settings
    return try plan(
      UnitStatements.valuesOfPart, ", 0, \(parts)", row, stores,
      settings: UnitStore.settings(.anew) + all.map { "; SET LOCAL \($0)" }.joined())
  }

  /// Planned under the settings of `UnitStore`.
  private func continuedPlan(_ row: ExperimentRow, _ stores: StorageTesting) throws -> String {
    let (now, id) = ("timestamptz '2999-01-01'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'")
    return try plan(
      UnitStatements.bringValues.sql,
      ", pg_current_snapshot()::text, \(now), \(id), NULL, \(now), 2", row, stores,
      settings: UnitStore.settings(.ofValues))
  }

  private func plan(
    _ sql: String, _ more: String, _ row: ExperimentRow, _ stores: StorageTesting, settings: String
  ) throws -> String {
    let session = try stores.session()
    return try session.transaction { () throws(PostgresError) in
      _ = try ResultStore(session: session).begin()
      try session.script(settings)
      let types = "bigint, bigint, uuid, text, timestamptz, timestamptz, uuid, text, text, bigint"
      try session.script("PREPARE bring (\(types)) AS \(sql)")
      let (now, id) = ("timestamptz '2999-01-01'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'")
      let explain = Statement(
        name: "explain",
        sql: """
          EXPLAIN EXECUTE bring(2, 1, '\(row.environment.uuidText)', 'primary', '2000-01-01', \(now), \(id),
            'binary', NULL, 0\(more))
          """)
      return try session.rows(explain, []) { row throws(PostgresError) in try row.text(0) }
    }.joined(separator: "\n")
  }
}
