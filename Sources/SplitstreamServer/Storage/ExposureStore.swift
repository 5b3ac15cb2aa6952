/// Stores who was shown what. Exposures never pass through Redis: 202 means committed in
/// PostgreSQL.
struct ExposureStore {
  let database: Database
  let ids: IDSource

  /// One unit that was shown one variant.
  struct Exposure: Sendable {
    let experiment: RunningExperiment
    let unit: UnitID
    let variant: Variant
  }

  enum Outcome: Equatable, Sendable {
    /// Stored now or earlier.
    case logged
    /// Splitstream buckets this experiment, and this unit has no assignment.
    case notAssigned
    /// Splitstream buckets this experiment, and this unit was assigned to another variant.
    case otherVariant
  }

  /// Stores the exposures in one transaction and says of each what became of it.
  ///
  /// Where somebody else buckets, the first exposure of a unit is its assignment. Where Splitstream
  /// does, an exposure must agree with the assignment; one that does not is left out and the others
  /// are stored.
  func log(_ exposures: [Exposure]) async throws(StorageError) -> [Outcome] {
    var outcomes = [Outcome](repeating: .logged, count: exposures.count)
    // In one order for all processes, so that two of them wait for each other instead of dying.
    let order = exposures.indices.sorted { left, right in
      let (a, b) = (exposures[left], exposures[right])
      if a.experiment.id != b.experiment.id { return a.experiment.id < b.experiment.id }
      if a.unit != b.unit { return a.unit.bytes.lexicographicallyPrecedes(b.unit.bytes) }
      return left < right
    }
    let sorted = order.map { exposures[$0] }
    let rows = try await database.rows(
      Self.log,
      [
        .ids(sorted.map(\.experiment.id)), .units(sorted.map(\.unit)),
        .ids(sorted.map(\.variant.id)),
        // Ascending: of two variants that a unit was shown in one batch, the first named decides.
        .ids(sorted.map { _ in ids.make() }.sorted()), .ids(sorted.map { _ in ids.make() }),
        .ints(sorted.map(\.experiment.epoch)),
        .bools(sorted.map { $0.experiment.assignmentMode == .external }),
      ]
    ) { row throws(PostgresError) in (place: try row.int(0), isAssigned: try !row.isNull(1)) }
    for row in rows {
      outcomes[order[row.place - 1]] = row.isAssigned ? .otherVariant : .notAssigned
    }
    return outcomes
  }

  /// Answers the exposures that were not stored: their place, and the variant that the unit has
  /// instead.
  ///
  /// `unmarked` locks the assignments in the order in which `AssignmentStore` does; an UPDATE alone
  /// has an order of its own.
  static let log = Statement(
    name: "exposure_log",
    sql: """
      WITH shown AS (
        SELECT * FROM unnest(
          $1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::bigint[], $7::boolean[])
          WITH ORDINALITY AS shown
            (experiment_id, unit_id, variant_id, exposure_id, assignment_id, epoch, is_external, place)),
      reported AS (
        INSERT INTO assignments AS a
          (experiment_id, unit_id, assignment_id, variant_id, reason, generation, epoch, exposure_logged_at)
        SELECT DISTINCT ON (experiment_id, unit_id)
          experiment_id, unit_id, assignment_id, variant_id, 'bucketed', 1, epoch, now()
        FROM shown WHERE is_external ORDER BY experiment_id, unit_id, place
        ON CONFLICT (experiment_id, unit_id) DO UPDATE SET
          assignment_id = excluded.assignment_id, variant_id = excluded.variant_id, epoch = excluded.epoch,
          assigned_at = now(), exposure_logged_at = now()
        WHERE a.variant_id IS NULL
        RETURNING experiment_id, unit_id, variant_id, generation),
      known AS (
        SELECT s.*, coalesce(r.variant_id, a.variant_id) AS assigned_variant_id,
          coalesce(r.generation, a.generation, 1) AS generation
        FROM shown s
        LEFT JOIN reported r USING (experiment_id, unit_id)
        LEFT JOIN assignments a USING (experiment_id, unit_id)),
      logged AS (
        INSERT INTO exposure_events (id, experiment_id, unit_id, generation, variant_id)
        SELECT DISTINCT ON (experiment_id, unit_id, generation, variant_id)
          exposure_id, experiment_id, unit_id, generation, variant_id
        FROM known WHERE is_external OR assigned_variant_id = variant_id
        ORDER BY experiment_id, unit_id, generation, variant_id, place
        ON CONFLICT DO NOTHING
        RETURNING experiment_id, unit_id, variant_id),
      unmarked AS (
        SELECT a.experiment_id, a.unit_id
        FROM logged JOIN assignments a USING (experiment_id, unit_id, variant_id)
        WHERE a.exposure_logged_at IS NULL
        ORDER BY a.experiment_id, a.unit_id
        FOR NO KEY UPDATE OF a),
      marked AS (
        UPDATE assignments a SET exposure_logged_at = now()
        FROM unmarked u WHERE a.experiment_id = u.experiment_id AND a.unit_id = u.unit_id)
      SELECT place, assigned_variant_id FROM known
      WHERE NOT is_external AND assigned_variant_id IS DISTINCT FROM variant_id
      """)
}
