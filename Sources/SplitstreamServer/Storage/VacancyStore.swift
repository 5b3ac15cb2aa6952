/// Vacates assignments: the next call of the unit is hashed anew.
///
/// Each change is one transaction: the row, the mutex claim, the exposures, the audit entry, and a
/// notice to every process that may remember the old assignment. Claims are locked before rows, as
/// the assigning statement does.
struct VacancyStore {
  let database: Database
  let ids: IDSource

  /// A unit that is forced to see a variant.
  struct Override: Sendable {
    let unit: UnitID
    let variantID: ULID
    let createdAt: Timestamp
  }

  /// Takes a unit's assignment away; false when it has none.
  func vacate(_ unit: UnitID, in experiment: Experiment, audit: AuditEntry)
    async throws(StorageError) -> Bool
  {
    try await database.transaction { batch in
      lockClaim(of: unit, in: experiment, &batch)
      batch.execute(Self.vacate, [.id(experiment.id), .text(unit.text)])
      return finish(unit, in: experiment, audit, &batch)
    }.values.first ?? false
  }

  /// Makes a unit see a variant from its next call on, whatever it has now.
  func force(_ unit: UnitID, to variant: ULID, in experiment: Experiment, audit: AuditEntry)
    async throws(StorageError) -> Override?
  {
    try await database.transaction { batch in
      lockClaim(of: unit, in: experiment, &batch)
      batch.execute(
        Self.force,
        [.id(experiment.id), .text(unit.text), .id(variant), .id(ids.make())])
      _ = finish(unit, in: experiment, audit, &batch)
      return batch.rows(Self.readOverride, [.id(experiment.id), .text(unit.text)]) {
        row throws(PostgresError) in
        Override(unit: unit, variantID: try row.id(0), createdAt: try row.instant(1))
      }
    }.values.first
  }

  /// Ends an override, and what it made the unit see; false when there is none.
  func unforce(_ unit: UnitID, in experiment: Experiment, audit: AuditEntry)
    async throws(StorageError) -> Bool
  {
    try await database.transaction { batch in
      batch.execute(Self.unforce, [.id(experiment.id), .text(unit.text)])
      return finish(unit, in: experiment, audit, &batch)
    }.values.first ?? false
  }

  private func lockClaim(
    of unit: UnitID, in experiment: Experiment, _ batch: inout PostgresBatch
  ) {
    guard let group = experiment.definition.mutexGroupID else { return }
    batch.execute(
      Self.lockClaim,
      [
        .id(experiment.id), .text(unit.text), .id(experiment.definition.environmentID), .id(group),
      ])
  }

  private func finish(
    _ unit: UnitID, in experiment: Experiment, _ audit: AuditEntry, _ batch: inout PostgresBatch
  ) -> PostgresBatch.Rows<Bool> {
    batch.rows(
      Self.finish,
      [
        .id(experiment.id), .text(unit.text), .id(experiment.definition.environmentID),
        .id(experiment.definition.mutexGroupID),
      ] + audit.values
    ) { _ throws(PostgresError) in true }
  }

  // MARK: Statements

  static let lockClaim = Statement(
    name: "vacancy_lock_claim",
    sql: """
      SELECT FROM mutex_claims
      WHERE group_id = $4 AND environment_id = $3 AND unit_id = $2 AND experiment_id = $1 FOR UPDATE
      """)

  static let vacate = Statement(
    name: "vacancy_vacate",
    sql: """
      UPDATE assignments SET variant_id = NULL, generation = generation + 1,
        exposure_logged_at = NULL
      WHERE experiment_id = $1 AND unit_id = $2 AND variant_id IS NOT NULL
      """)

  /// A unit without a row gets a vacant one: a first call under way at this moment then fails to
  /// store what it decided before it could know of the override, and decides again.
  static let force = Statement(
    name: "vacancy_force",
    sql: """
      WITH forced AS (
        INSERT INTO assignment_overrides AS o (experiment_id, unit_id, variant_id)
        VALUES ($1, $2, $3)
        ON CONFLICT (experiment_id, unit_id) DO UPDATE SET
          variant_id = excluded.variant_id, created_at = now()
        WHERE o.variant_id <> excluded.variant_id
        RETURNING experiment_id, unit_id)
      INSERT INTO assignments AS a
        (experiment_id, unit_id, assignment_id, variant_id, reason, generation, epoch)
      SELECT experiment_id, unit_id, $4, NULL, 'forced', 2, 1 FROM forced
      ON CONFLICT (experiment_id, unit_id) DO UPDATE SET
        variant_id = NULL, generation = a.generation + 1, exposure_logged_at = NULL
      """)

  static let unforce = Statement(
    name: "vacancy_unforce",
    sql: """
      WITH ended AS (
        DELETE FROM assignment_overrides WHERE experiment_id = $1 AND unit_id = $2
          RETURNING experiment_id)
      UPDATE assignments a SET variant_id = NULL, generation = a.generation + 1,
        exposure_logged_at = NULL
      FROM ended WHERE a.experiment_id = ended.experiment_id AND a.unit_id = $2
      """)

  /// Follows one of the above in its transaction: a statement of its own, because it must see
  /// exposures that were logged while the row's lock was waited for. Answers a row when the
  /// assignment was vacated here.
  static let finish = Statement(
    name: "vacancy_finish",
    sql: """
      WITH vacated AS (
        SELECT experiment_id, unit_id, generation FROM assignments
        WHERE experiment_id = $1 AND unit_id = $2 AND xmin = pg_current_xact_id()::xid),
      released AS (
        DELETE FROM mutex_claims c USING vacated v
        WHERE c.group_id = $4 AND c.environment_id = $3 AND c.unit_id = v.unit_id
          AND c.experiment_id = v.experiment_id),
      superseded AS (
        UPDATE exposure_events x SET superseded_at = now(), superseded_in = pg_current_xact_id()
        FROM vacated v
        WHERE x.experiment_id = v.experiment_id AND x.unit_id = v.unit_id
          AND x.generation < v.generation
          AND x.superseded_at IS NULL),
      audited AS (\(AuditEntry.insert(from: "vacated", first: 5)))
      SELECT pg_notify('\(Vacancy.channel)', experiment_id || ':' || unit_id) FROM vacated
      """)

  static let readOverride = Statement(
    name: "vacancy_override",
    sql: """
      SELECT variant_id, created_at FROM assignment_overrides
      WHERE experiment_id = $1 AND unit_id = $2
      """)
}

/// A unit whose assignment was taken away, as every process is told.
struct Vacancy {
  static let channel = "vacancies"

  let experiment: ULID
  let unit: UnitID

  /// `<experiment's uuid>:<unit>`; nil for what is not one.
  init?(notice: String) {
    let bytes = [UInt8](notice.utf8)
    guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
      let experiment = ULID(uuid: String(decoding: bytes[..<colon], as: UTF8.self)),
      let unit = UnitID(bytes[(colon + 1)...])
    else { return nil }
    self.experiment = experiment
    self.unit = unit
  }
}
