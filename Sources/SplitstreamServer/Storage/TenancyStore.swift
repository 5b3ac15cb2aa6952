/// Workspaces, environments and API keys.
struct TenancyStore {
  let database: Database

  func workspace(_ id: ULID) async throws(StorageError) -> Workspace? {
    try await database.row(Self.readWorkspace, [.id(id)], Self.workspace)
  }

  /// Newest first; `only` for a key that is bound to one environment.
  func environments(of workspace: ULID, only: ULID?, page: Page) async throws(StorageError)
    -> [Environment]
  {
    try await database.rows(
      Self.listEnvironments, [.id(workspace), .id(only), .id(page.before), .int(page.limit)],
      Self.environment)
  }

  /// - Throws: `StorageError.conflict("environments_slug")` when the workspace has one with this slug.
  func create(
    environment id: ULID, slug: String, name: String, shard: Int, audit: AuditEntry
  ) async throws(StorageError) -> Environment? {
    try await database.row(
      Self.createEnvironment,
      [.id(id), .id(audit.actor.workspaceID), .text(slug), .text(name), .int(shard)] + audit.values,
      Self.environment)
  }

  func keys(of workspace: ULID, environment: ULID?, page: Page) async throws(StorageError)
    -> [APIKey]
  {
    try await database.rows(
      Self.listKeys, [.id(workspace), .id(environment), .id(page.before), .int(page.limit)],
      Self.key)
  }

  func create(_ key: NewAPIKey, audit: AuditEntry) async throws(StorageError) -> APIKey? {
    try await database.row(Self.createKey, key.values + audit.values, Self.key)
  }

  static let readWorkspace = Statement(
    name: "workspace_read", sql: "SELECT id, slug, name, created_at FROM workspaces WHERE id = $1")

  static func workspace(_ row: Row) throws(PostgresError) -> Workspace {
    Workspace(
      id: try row.id(0), slug: try row.text(1), name: try row.text(2), createdAt: try row.instant(3)
    )
  }

  static let environmentColumns = "id, workspace_id, slug, name, shard, created_at"

  static let listEnvironments = Statement(
    name: "environment_list",
    sql: """
      SELECT \(environmentColumns) FROM environments
      WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR id < $3)
      ORDER BY id DESC LIMIT $4::bigint
      """)

  static let createEnvironment = Statement(
    name: "environment_create",
    sql: """
      WITH created AS (
        INSERT INTO environments (id, workspace_id, slug, name, shard) VALUES ($1, $2, $3, $4, $5)
        RETURNING \(environmentColumns)),
      audited AS (\(AuditEntry.insert(from: "created", first: 6)))
      SELECT \(environmentColumns) FROM created
      """)

  static func environment(_ row: Row) throws(PostgresError) -> Environment {
    Environment(
      id: try row.id(0), workspaceID: try row.id(1), slug: try row.text(2), name: try row.text(3),
      shard: try row.int(4), createdAt: try row.instant(5))
  }

  static let keyColumns =
    "id, workspace_id, environment_id, kind, name, prefix, last_four, created_at, last_used_at"

  static let listKeys = Statement(
    name: "api_key_list",
    sql: """
      SELECT \(keyColumns) FROM api_keys
      WHERE workspace_id = $1 AND ($2::uuid IS NULL OR environment_id = $2) AND revoked_at IS NULL
        AND ($3::uuid IS NULL OR id < $3)
      ORDER BY id DESC LIMIT $4::bigint
      """)

  static let createKey = Statement(
    name: "api_key_create",
    sql: """
      WITH created AS (
        INSERT INTO api_keys
          (id, workspace_id, environment_id, kind, name, prefix, last_four, lookup_hash, argon2id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        RETURNING \(keyColumns)),
      audited AS (\(AuditEntry.insert(from: "created", first: 10)))
      SELECT \(keyColumns) FROM created
      """)

  static func key(_ row: Row) throws(PostgresError) -> APIKey {
    APIKey(
      id: try row.id(0), workspaceID: try row.id(1), environmentID: try row.idOrNil(2),
      kind: try row.choice(3),
      name: try row.text(4), prefix: try row.text(5), lastFour: try row.text(6),
      createdAt: try row.instant(7),
      lastUsedAt: try row.instantOrNil(8))
  }
}

/// A key about to be stored: what is kept of the secret, and nothing that leads back to it.
struct NewAPIKey: Sendable {
  let id: ULID
  let workspaceID: ULID
  let environmentID: ULID?
  let kind: APIKey.Kind
  let name: String
  let prefix: String
  let lastFour: String
  let lookupHash: KeyHash
  let argon2id: String

  var values: [PostgresValue] {
    [
      .id(id), .id(workspaceID), .id(environmentID), .text(kind.rawValue), .text(name),
      .text(prefix),
      .text(lastFour), .bytes(lookupHash.bytes), .text(argon2id),
    ]
  }
}
