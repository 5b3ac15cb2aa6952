/// Reads assignments for those who look at them, not for those who are assigned.
struct UnitAssignmentStore {
  let database: Database

  /// An assignment as it is stored.
  struct Entry: Sendable {
    let experimentID: ULID
    let unit: [UInt8]
    let assignment: Assignment
    let generation: Int
    let assignedAt: Timestamp
  }

  /// What a unit would meet if it asked now.
  struct Prospect: Sendable {
    /// Of the next assignment; of the present one when there is one.
    let generation: Int
    let assignment: Assignment?
    let forcedVariantID: ULID?
    /// The key of the experiment of the mutex group that has the unit.
    let holder: String?
  }

  /// The unit's assignments in these experiments, in no order.
  func assignments(of unit: UnitID, in experiments: [ULID]) async throws(StorageError) -> [Entry] {
    try await database.rows(Self.ofUnit, [.ids(experiments), .text(unit.text)], Self.entry)
  }

  /// The experiment's assignments, newest first.
  func assignments(of experiment: ULID, page: Page) async throws(StorageError) -> [Entry] {
    try await database.rows(
      Self.ofExperiment, [.id(experiment), .id(page.before), .int(page.limit)], Self.entry)
  }

  func prospect(of unit: UnitID, in experiment: RunningExperiment) async throws(StorageError)
    -> Prospect
  {
    let prospect = try await database.row(
      Self.prospect,
      [
        .id(experiment.id), .text(unit.text), .id(experiment.environmentID),
        .id(experiment.mutexGroupID),
      ]
    ) { row throws(PostgresError) in
      var assignment: Assignment?
      if let variant = try row.idOrNil(1) {
        assignment = Assignment(
          id: try row.id(0), variantID: variant, reason: try row.choice(2),
          exposureLoggedAt: try row.instantOrNil(4))
      }
      return Prospect(
        generation: try row.intOrNil(3) ?? 1, assignment: assignment,
        forcedVariantID: try row.idOrNil(5), holder: try row.textOrNil(6))
    }
    guard let prospect else { throw .failed(.postgres, "a SELECT of one row returned none") }
    return prospect
  }

  private static func entry(_ row: Row) throws(PostgresError) -> Entry {
    Entry(
      experimentID: try row.id(0), unit: try row.bytes(1),
      assignment: Assignment(
        id: try row.id(2), variantID: try row.id(3), reason: try row.choice(4),
        exposureLoggedAt: try row.instantOrNil(6)),
      generation: try row.int(5), assignedAt: try row.instant(7))
  }

  private static let columns = """
    a.experiment_id, a.unit_id, a.assignment_id, a.variant_id, a.reason, a.generation,
    a.exposure_logged_at, a.assigned_at
    """

  static let ofUnit = Statement(
    name: "unit_assignments",
    sql: """
      SELECT \(columns)
      FROM unnest($1::uuid[]) AS wanted (experiment_id)
      CROSS JOIN LATERAL (
        SELECT * FROM assignments
        WHERE experiment_id = wanted.experiment_id AND unit_id = $2
          AND variant_id IS NOT NULL OFFSET 0) a
      """)

  static let ofExperiment = Statement(
    name: "experiment_assignments",
    sql: """
      SELECT \(columns) FROM assignments a
      WHERE experiment_id = $1 AND variant_id IS NOT NULL
        AND ($2::uuid IS NULL OR assignment_id < $2)
      ORDER BY assignment_id DESC LIMIT $3::bigint
      """)

  static let prospect = Statement(
    name: "assignment_prospect",
    sql: """
      SELECT a.assignment_id, a.variant_id, a.reason, a.generation, a.exposure_logged_at,
        o.variant_id, holder.key
      FROM (VALUES ($1::uuid, $2::text)) AS wanted (experiment_id, unit_id)
      LEFT JOIN assignments a USING (experiment_id, unit_id)
      LEFT JOIN assignment_overrides o USING (experiment_id, unit_id)
      LEFT JOIN LATERAL (
        SELECT e.key FROM mutex_claims c JOIN experiments e ON e.id = c.experiment_id
        WHERE c.group_id = $4::uuid AND c.environment_id = $3 AND c.unit_id = wanted.unit_id
          AND c.experiment_id <> wanted.experiment_id AND e.status = 'running') holder ON true
      """)
}
