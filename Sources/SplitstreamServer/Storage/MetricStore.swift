/// Metric definitions, shared by the experiments of a workspace.
struct MetricStore {
  let database: Database

  func metrics(of workspace: ULID, page: Page) async throws(StorageError) -> [Metric] {
    try await database.rows(
      Self.list, [.id(workspace), .id(page.before), .int(page.limit)], Self.metric)
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
      [
        .id(id), .id(audit.actor.workspaceID), .text(definition.key), .text(definition.name),
        .text(definition.eventKey), .text(definition.kind.rawValue),
        .text(definition.aggregation.rawValue),
        .text(definition.unitDedupWindow), .text(orNull: definition.propertyPath),
      ] + audit.values, Self.metric)
  }

  static let columns =
    "id, workspace_id, key, name, event_key, kind, aggregation, unit_dedup_window, property_path"

  static let list = Statement(
    name: "metric_list",
    sql: """
      SELECT \(columns) FROM metrics
      WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2)
      ORDER BY id DESC LIMIT $3::bigint
      """)

  static let find = Statement(
    name: "metric_find",
    sql: "SELECT id FROM metrics WHERE workspace_id = $1 AND id = ANY ($2::uuid[])")

  static let create = Statement(
    name: "metric_create",
    sql: """
      WITH created AS (
        INSERT INTO metrics (\(columns)) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        RETURNING \(columns)),
      audited AS (\(AuditEntry.insert(from: "created", first: 10)))
      SELECT \(columns) FROM created
      """)

  static func metric(_ row: Row) throws(PostgresError) -> Metric {
    Metric(
      id: try row.id(0), workspaceID: try row.id(1),
      definition: MetricDefinition(
        key: try row.text(2), name: try row.text(3), eventKey: try row.text(4),
        kind: try row.choice(5),
        aggregation: try row.choice(6), unitDedupWindow: try row.text(7),
        propertyPath: try row.textOrNil(8)))
  }
}
