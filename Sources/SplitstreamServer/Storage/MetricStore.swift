/// Metric definitions, shared by the experiments of a workspace.
struct MetricStore {
  let database: Database

  func metrics(of workspace: ULID, page: Page) async throws(StorageError) -> [Metric] {
    try await database.rows(
      Self.list, [.id(workspace), .id(page.before), .int(page.limit)], Self.metric)
  }

  func metric(_ id: ULID, of workspace: ULID) async throws(StorageError) -> Metric? {
    try await database.row(Self.read, [.id(workspace), .id(id)], Self.metric)
  }

  /// What became of a change.
  enum Change {
    case done(Metric)
    /// It would change what an experiment measures that has been started.
    case measuring
    case gone
  }

  /// Makes `definition` true. What a started experiment measures by stays as it is: the condition
  /// and the change are one statement.
  ///
  /// - Throws: `StorageError.conflict("metrics_key")` when the workspace has another with this key.
  func change(_ id: ULID, to definition: MetricDefinition, audit: AuditEntry)
    async throws(StorageError) -> Change
  {
    let values = [.id(id), .id(audit.actor.workspaceID)] + Self.values(definition) + audit.values
    if let metric = try await database.row(Self.change, values, Self.metric) {
      return .done(metric)
    }
    return try await metric(id, of: audit.actor.workspaceID) == nil ? .gone : .measuring
  }

  /// - Returns: false when there is none.
  /// - Throws: `StorageError.inUse` when an experiment names it.
  func delete(_ id: ULID, audit: AuditEntry) async throws(StorageError) -> Bool {
    try await database.row(Self.delete, [.id(id), .id(audit.actor.workspaceID)] + audit.values) {
      row throws(PostgresError) in try row.int(0)
    } == 1
  }

  /// Those of `ids` that the workspace has.
  func existing(_ ids: [ULID], in workspace: ULID) async throws(StorageError) -> Set<ULID> {
    if ids.isEmpty { return [] }
    let found = try await database.rows(Self.find, [.id(workspace), .ids(ids)]) {
      row throws(PostgresError) in try row.id(0)
    }
    return Set(found)
  }

  /// - Throws: `StorageError.conflict("metrics_key")` when the workspace has one with this key.
  func create(_ id: ULID, _ definition: MetricDefinition, audit: AuditEntry)
    async throws(StorageError) -> Metric?
  {
    try await database.row(
      Self.create,
      [.id(id), .id(audit.actor.workspaceID)] + Self.values(definition) + audit.values,
      Self.metric)
  }

  /// The order of these is the order of the placeholders of `create` and `change`, from $3 on.
  private static func values(_ definition: MetricDefinition) -> [PostgresValue] {
    [
      .text(definition.key), .text(definition.name), .text(definition.eventKey),
      .text(definition.kind.rawValue), .text(definition.aggregation.rawValue),
      .text(definition.unitDedupWindow), .text(orNull: definition.propertyPath?.text),
      .text(definition.desiredDirection.rawValue),
    ]
  }

  static let columns =
    "id, workspace_id, key, name, event_key, kind, aggregation, unit_dedup_window, "
    + "property_path, desired_direction"

  static let list = Statement(
    name: "metric_list",
    sql: """
      SELECT \(columns) FROM metrics
      WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2)
      ORDER BY id DESC LIMIT $3::bigint
      """)

  static let read = Statement(
    name: "metric_read",
    sql: "SELECT \(columns) FROM metrics WHERE workspace_id = $1 AND id = $2")

  static let change = Statement(
    name: "metric_change",
    sql: """
      WITH changed AS (
        UPDATE metrics m SET key = $3, name = $4, event_key = $5, kind = $6, aggregation = $7,
          unit_dedup_window = $8, property_path = $9, desired_direction = $10
        WHERE id = $1 AND workspace_id = $2 AND (
          (event_key, kind, aggregation, unit_dedup_window, desired_direction) = ($5, $6, $7, $8, $10)
            AND property_path IS NOT DISTINCT FROM $9
          OR NOT EXISTS (
            SELECT FROM experiments e
            WHERE e.workspace_id = $2 AND e.started_at IS NOT NULL
              AND (e.primary_metric_id = m.id OR EXISTS (
                SELECT FROM guardrail_metrics g WHERE g.experiment_id = e.id AND g.metric_id = m.id))))
        RETURNING \(columns)),
      audited AS (\(AuditEntry.insert(from: "changed", first: 11)))
      SELECT \(columns) FROM changed
      """)

  static let delete = Statement(
    name: "metric_delete",
    sql: """
      WITH deleted AS (DELETE FROM metrics WHERE id = $1 AND workspace_id = $2 RETURNING id),
      audited AS (\(AuditEntry.insert(from: "deleted", first: 3)))
      SELECT count(*) FROM deleted
      """)

  static let find = Statement(
    name: "metric_find",
    sql: "SELECT id FROM metrics WHERE workspace_id = $1 AND id = ANY ($2::uuid[])")

  static let create = Statement(
    name: "metric_create",
    sql: """
      WITH created AS (
        INSERT INTO metrics (\(columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        RETURNING \(columns)),
      audited AS (\(AuditEntry.insert(from: "created", first: 11)))
      SELECT \(columns) FROM created
      """)

  static func metric(_ row: Row) throws(PostgresError) -> Metric {
    Metric(
      id: try row.id(0), workspaceID: try row.id(1),
      definition: MetricDefinition(
        key: try row.text(2), name: try row.text(3), eventKey: try row.text(4),
        kind: try row.choice(5),
        aggregation: try row.choice(6), unitDedupWindow: try row.text(7),
        propertyPath: try path(row.textOrNil(8)), desiredDirection: try row.choice(9)))
  }
  private static func path(_ text: String?) throws(PostgresError) -> PropertyPath? {
    guard let text else { return nil }
    guard let path = PropertyPath(text) else {
      throw .decoding("metrics.property_path holds \"\(text)\", which is no path")
    }
    return path
  }
}
