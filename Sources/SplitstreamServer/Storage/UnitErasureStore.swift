/// Takes the order to erase a unit: what is found by the unit goes at once, its events soon after
/// (`UnitEraser`).
struct UnitErasureStore {
  let database: Database

  /// Erases the unit from everything but the events, in one transaction with the order for those,
  /// the audit entry, and a notice to every process that may remember an assignment.
  ///
  /// - Returns: the experiments in which it had an assignment.
  func erase(
    _ unit: UnitID, in environment: ULID, audit: AuditEntry
  ) async throws(StorageError) -> [ULID] {
    let place: [PostgresValue] = [.id(environment), .text(unit.text)]
    return try await database.transaction { batch in
      // Claims before assignments before exposures, as the assigning statement locks them.
      for statement in [Self.releaseClaims, Self.endOverrides] { batch.execute(statement, place) }
      let experiments = batch.rows(Self.deleteAssignments, place) { row throws(PostgresError) in
        try row.id(0)
      }
      batch.execute(Self.deleteExposures, place)
      batch.execute(
        Self.order, place + [.bytes(SHA256.hash(unit.bytes).bytes)] + audit.values)
      return experiments
    }.values
  }

  // MARK: Statements

  static let releaseClaims = Statement(
    name: "erasure_claims",
    sql: """
      DELETE FROM mutex_claims WHERE environment_id = $1 AND unit_id = $2 AND group_id IN (
        SELECT g.id FROM mutex_groups g JOIN environments e USING (workspace_id) WHERE e.id = $1)
      """)

  static let endOverrides = Statement(
    name: "erasure_overrides",
    sql: "DELETE FROM assignment_overrides WHERE unit_id = $2 AND \(inEnvironment)")

  static let deleteAssignments = Statement(
    name: "erasure_assignments",
    sql: """
      WITH deleted AS (
        DELETE FROM assignments WHERE unit_id = $2 AND \(inEnvironment) RETURNING experiment_id)
      SELECT experiment_id, pg_notify('\(Vacancy.channel)', experiment_id || ':' || $2)
      FROM deleted
      """)

  static let deleteExposures = Statement(
    name: "erasure_exposures",
    sql: "DELETE FROM exposure_events WHERE unit_id = $2 AND \(inEnvironment)")

  static let order = Statement(
    name: "erasure_order",
    sql: """
      WITH ordered AS (
        INSERT INTO unit_erasures (environment_id, unit_id, unit_hash) VALUES ($1, $2, $3)
        ON CONFLICT (environment_id, unit_hash) DO UPDATE SET
          unit_id = excluded.unit_id, erased_at = excluded.erased_at
        RETURNING 1)
      \(AuditEntry.insert(from: "ordered", first: 4))
      """)

  private static let inEnvironment =
    "experiment_id IN (SELECT id FROM experiments WHERE environment_id = $1)"
}
