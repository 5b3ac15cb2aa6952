/// Mutex groups of a workspace.
struct MutexGroupStore {
  let database: Database

  /// Newest first. Experiments are counted in `environment`; nil counts all.
  func groups(of workspace: ULID, environment: ULID?, page: Page) async throws(StorageError)
    -> [MutexGroup]
  {
    try await database.rows(
      Self.list, [.id(workspace), .id(environment), .id(page.before), .int(page.limit)], Self.group)
  }

  func group(_ id: ULID, of workspace: ULID, environment: ULID?) async throws(StorageError)
    -> MutexGroup?
  {
    try await database.row(Self.read, [.id(workspace), .id(environment), .id(id)], Self.group)
  }

  /// - Throws: `StorageError.conflict("mutex_groups_key")` when the workspace has one with this
  /// key.
  func create(_ id: ULID, key: String, name: String, audit: AuditEntry) async throws(StorageError) {
    try await database.execute(
      Self.create, [.id(id), .id(audit.actor.workspaceID), .text(key), .text(name)] + audit.values)
  }

  /// Changes what is given; false when there is no such group.
  func change(_ id: ULID, key: String?, name: String?, audit: AuditEntry)
    async throws(StorageError) -> Bool
  {
    try await database.execute(
      Self.change,
      [.id(id), .id(audit.actor.workspaceID), .text(orNull: key), .text(orNull: name)]
        + audit.values) == 1
  }

  enum Deletion { case deleted, inUse, unknown }

  /// Archived experiments do not keep a group; they forget it.
  func delete(_ id: ULID, audit: AuditEntry) async throws(StorageError) -> Deletion {
    let counts = try await database.transaction { batch in
      // Nobody can name the group from here on.
      let found = batch.rows(
        Self.lock, [.id(id), .id(audit.actor.workspaceID)],
        { row throws(PostgresError) in try row.int(0) })
      batch.execute(Self.forget, [.id(id), .id(audit.actor.workspaceID)])
      return (
        found, batch.execute(Self.delete, [.id(id), .id(audit.actor.workspaceID)] + audit.values)
      )
    }
    return counts.0.values.isEmpty ? .unknown : counts.1.value == 1 ? .deleted : .inUse
  }

  private static func group(_ row: Row) throws(PostgresError) -> MutexGroup {
    MutexGroup(
      id: try row.id(0), key: try row.text(1), name: try row.text(2),
      experimentCount: try row.int(3))
  }

  private static let selection = """
    SELECT g.id, g.key, g.name, (
      SELECT count(*) FROM experiments e
      WHERE e.mutex_group_id = g.id AND e.status <> 'archived'
        AND ($2::uuid IS NULL OR e.environment_id = $2))
    FROM mutex_groups g
    """

  static let list = Statement(
    name: "mutex_group_list",
    sql: """
      \(selection)
      WHERE g.workspace_id = $1 AND ($3::uuid IS NULL OR g.id < $3)
      ORDER BY g.id DESC LIMIT $4::bigint
      """)

  static let read = Statement(
    name: "mutex_group_read", sql: "\(selection) WHERE g.workspace_id = $1 AND g.id = $3")

  static let create = Statement(
    name: "mutex_group_create",
    sql: """
      WITH created AS (
        INSERT INTO mutex_groups (id, workspace_id, key, name) VALUES ($1, $2, $3, $4) RETURNING id)
      \(AuditEntry.insert(from: "created", first: 5))
      """)

  static let change = Statement(
    name: "mutex_group_change",
    sql: """
      WITH changed AS (
        UPDATE mutex_groups SET key = coalesce($3, key), name = coalesce($4, name)
        WHERE id = $1 AND workspace_id = $2 RETURNING id)
      \(AuditEntry.insert(from: "changed", first: 5))
      """)

  static let lock = Statement(
    name: "mutex_group_lock",
    sql: "SELECT 1::bigint FROM mutex_groups WHERE id = $1 AND workspace_id = $2 FOR UPDATE")

  static let forget = Statement(
    name: "mutex_group_forget",
    sql: """
      UPDATE experiments SET mutex_group_id = NULL
      WHERE mutex_group_id = $1 AND workspace_id = $2 AND status = 'archived' AND NOT EXISTS (
        SELECT FROM experiments WHERE mutex_group_id = $1 AND status <> 'archived')
      """)

  static let delete = Statement(
    name: "mutex_group_delete",
    sql: """
      WITH deleted AS (
        DELETE FROM mutex_groups g
        WHERE id = $1 AND workspace_id = $2
          AND NOT EXISTS (SELECT FROM experiments e WHERE e.mutex_group_id = g.id)
        RETURNING id)
      \(AuditEntry.insert(from: "deleted", first: 3))
      """)
}
