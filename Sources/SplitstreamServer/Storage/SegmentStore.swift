/// Segments, shared by the audiences of a workspace's experiments.
struct SegmentStore {
  let database: Database

  /// Newest first.
  func segments(of workspace: ULID, page: Page) async throws(StorageError) -> [Segment] {
    try await database.rows(
      Self.list, [.id(workspace), .id(page.before), .int(page.limit)], Self.segment)
  }

  func segment(_ id: ULID, of workspace: ULID) async throws(StorageError) -> Segment? {
    try await database.row(Self.read, [.id(workspace), .id(id)], Self.segment)
  }

  /// Those of `keys` that the workspace has.
  func existing(_ keys: Set<String>, in workspace: ULID) async throws(StorageError) -> Set<String> {
    if keys.isEmpty { return [] }
    let found = try await database.rows(Self.find, [.id(workspace), .texts(Array(keys))]) {
      row throws(PostgresError) in try row.text(0)
    }
    return Set(found)
  }

  /// - Throws: `StorageError.conflict("segments_key")` when the workspace has one with this key.
  func create(
    _ id: ULID, key: String, name: String, audience: Audience, audit: AuditEntry
  ) async throws(StorageError) -> Segment? {
    try await database.row(
      Self.create,
      [
        .id(id), .id(audit.actor.workspaceID), .text(key), .text(name), .json(audience.source),
      ] + audit.values, Self.segment)
  }

  /// Members that are nil stay as they are.
  ///
  /// - Returns: nil when there is no such segment.
  /// - Throws: `StorageError.inUse` for another key while an audience names this one.
  func change(
    _ id: ULID, key: String?, name: String?, audience: Audience?, audit: AuditEntry
  ) async throws(StorageError) -> Segment? {
    try await database.row(
      Self.change,
      [
        .id(id), .id(audit.actor.workspaceID), .text(orNull: key), .text(orNull: name),
        .json(audience?.source),
      ] + audit.values, Self.segment)
  }

  /// - Returns: false when there is no such segment.
  /// - Throws: `StorageError.inUse` while an audience names it.
  func delete(_ id: ULID, audit: AuditEntry) async throws(StorageError) -> Bool {
    try await database.row(
      Self.delete, [.id(id), .id(audit.actor.workspaceID)] + audit.values
    ) { row throws(PostgresError) in try row.int(0) } == 1
  }

  static let columns = "id, workspace_id, key, name, audience, created_at, updated_at"

  static let list = Statement(
    name: "segment_list",
    sql: """
      SELECT \(columns) FROM segments
      WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2)
      ORDER BY id DESC LIMIT $3::bigint
      """)

  static let read = Statement(
    name: "segment_read",
    sql: "SELECT \(columns) FROM segments WHERE workspace_id = $1 AND id = $2")

  static let find = Statement(
    name: "segment_find",
    sql: "SELECT key FROM segments WHERE workspace_id = $1 AND key = ANY ($2::text[])")

  static let create = Statement(
    name: "segment_create",
    sql: """
      WITH created AS (
        INSERT INTO segments (id, workspace_id, key, name, audience)
        VALUES ($1, $2, $3, $4, $5::json)
        RETURNING \(columns)),
      audited AS (\(AuditEntry.insert(from: "created", first: 6)))
      SELECT \(columns) FROM created
      """)

  static let change = Statement(
    name: "segment_change",
    sql: """
      WITH changed AS (
        UPDATE segments SET key = coalesce($3, key), name = coalesce($4, name),
          audience = coalesce($5::json, audience), updated_at = now()
        WHERE id = $1 AND workspace_id = $2
        RETURNING \(columns)),
      audited AS (\(AuditEntry.insert(from: "changed", first: 6)))
      SELECT \(columns) FROM changed
      """)

  // The foreign key of `audience_segments` is checked when the statement ends, and keeps all of it
  // from happening.
  static let delete = Statement(
    name: "segment_delete",
    sql: """
      WITH deleted AS (DELETE FROM segments WHERE id = $1 AND workspace_id = $2 RETURNING id),
      audited AS (\(AuditEntry.insert(from: "deleted", first: 3)))
      SELECT count(*) FROM deleted
      """)

  static func segment(_ row: Row) throws(PostgresError) -> Segment {
    Segment(
      id: try row.id(0), workspaceID: try row.id(1), key: try row.text(2), name: try row.text(3),
      audience: try row.audience(4), createdAt: try row.instant(5), updatedAt: try row.instant(6))
  }
}
