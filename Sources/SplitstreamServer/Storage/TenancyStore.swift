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

  /// - Throws: `StorageError.conflict("environments_slug")` when the workspace has one with this
  ///   slug.
  func create(
    environment id: ULID, slug: String, name: String, shard: Int, audit: AuditEntry
  ) async throws(StorageError) -> Environment? {
    try await database.row(
      Self.createEnvironment,
      [.id(id), .id(audit.actor.workspaceID), .text(slug), .text(name), .int(shard)] + audit.values,
      Self.environment)
  }

  /// Nil when there is none in what the caller may see.
  func environment(_ id: ULID, of workspace: ULID, only: ULID?) async throws(StorageError)
    -> Environment?
  {
    try await database.row(
      Self.readEnvironment, [.id(workspace), .id(only), .id(id)], Self.environment)
  }

  /// Members that are nil stay as they are.
  ///
  /// - Throws: `StorageError.conflict("environments_slug")` when the workspace has one with this
  ///   slug.
  func change(
    environment id: ULID, slug: String?, name: String?, audit: AuditEntry
  ) async throws(StorageError) -> Environment? {
    try await database.row(
      Self.changeEnvironment,
      [.id(id), .id(audit.actor.workspaceID), .text(orNull: slug), .text(orNull: name)]
        + audit.values, Self.environment)
  }

  /// Removes an environment with its revoked keys.
  ///
  /// - Returns: false when there is none.
  /// - Throws: `StorageError.inUse` while it has experiments or keys in force.
  func delete(environment id: ULID, audit: AuditEntry) async throws(StorageError) -> Bool {
    try await database.row(
      Self.deleteEnvironment, [.id(id), .id(audit.actor.workspaceID)] + audit.values
    ) { row throws(PostgresError) in try row.int(0) } == 1
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

  /// The key in force with this id; `environment` for a caller that is bound to one.
  func key(_ id: ULID, of workspace: ULID, environment: ULID?) async throws(StorageError)
    -> APIKey?
  {
    try await database.row(
      Self.readKey, [.id(workspace), .id(environment), .id(id)], Self.key)
  }

  /// - Returns: false when there is no such key in force.
  func revoke(_ key: APIKey, audit: AuditEntry) async throws(StorageError) -> Bool {
    try await database.row(Self.revokeKey, [.id(key.id)] + audit.values) {
      row throws(PostgresError) in try row.int(0)
    } == 1
  }

  /// Gives a key another secret; the one it had stays in force for `overlapSeconds`, and one before
  /// that no longer.
  ///
  /// - Returns: nil when the key is not in force any more.
  func rotate(
    _ key: APIKey, to secret: StoredSecret, overlapSeconds: Int, audit: AuditEntry
  ) async throws(StorageError) -> (key: APIKey, previousValidUntil: Timestamp)? {
    try await database.row(
      Self.rotateKey,
      [.id(key.id), .int(overlapSeconds)] + secret.values + audit.values
    ) { row throws(PostgresError) in
      (key: try Self.key(row), previousValidUntil: try row.instant(9))
    }
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

  static let readEnvironment = Statement(
    name: "environment_read",
    sql: """
      SELECT \(environmentColumns) FROM environments
      WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id = $2) AND id = $3
      """)

  static let changeEnvironment = Statement(
    name: "environment_change",
    sql: """
      WITH changed AS (
        UPDATE environments SET slug = coalesce($3, slug), name = coalesce($4, name)
        WHERE id = $1 AND workspace_id = $2
        RETURNING \(environmentColumns)),
      audited AS (\(AuditEntry.insert(from: "changed", first: 5)))
      SELECT \(environmentColumns) FROM changed
      """)

  // Foreign keys are checked when the statement ends: what still refers to the environment keeps
  // all of it from happening, however lately it was made.
  static let deleteEnvironment = Statement(
    name: "environment_delete",
    sql: """
      WITH deleted AS (
        DELETE FROM environments WHERE id = $1 AND workspace_id = $2 RETURNING id),
      deleted_keys AS (
        DELETE FROM api_keys USING deleted
        WHERE environment_id = deleted.id AND revoked_at IS NOT NULL),
      audited AS (\(AuditEntry.insert(from: "deleted", first: 3)))
      SELECT count(*) FROM deleted
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

  static let readKey = Statement(
    name: "api_key_read",
    sql: """
      SELECT \(keyColumns) FROM api_keys
      WHERE workspace_id = $1 AND ($2::uuid IS NULL OR environment_id = $2) AND revoked_at IS NULL
        AND id = $3
      """)

  static let revokeKey = Statement(
    name: "api_key_revoke",
    sql: """
      WITH revoked AS (
        UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id),
      audited AS (\(AuditEntry.insert(from: "revoked", first: 2)))
      SELECT count(*) FROM revoked
      """)

  static let rotateKey = Statement(
    name: "api_key_rotate",
    sql: """
      WITH rotated AS (
        UPDATE api_keys SET previous_lookup_hash = lookup_hash,
          previous_valid_until = now() + make_interval(secs => $2::bigint),
          prefix = $3, last_four = $4, lookup_hash = $5, argon2id = $6
        WHERE id = $1 AND revoked_at IS NULL
        RETURNING \(keyColumns), previous_valid_until),
      audited AS (\(AuditEntry.insert(from: "rotated", first: 7)))
      SELECT \(keyColumns), previous_valid_until FROM rotated
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
  let secret: StoredSecret

  var values: [PostgresValue] {
    [.id(id), .id(workspaceID), .id(environmentID), .text(kind.rawValue), .text(name)]
      + secret.values
  }
}

/// What is kept of a key's secret.
struct StoredSecret: Sendable {
  let prefix: String
  let lastFour: String
  let lookupHash: KeyHash
  let argon2id: String

  /// Slow by design, because of Argon2id: not for an event loop.
  init(_ secret: KeySecret, pepper: Pepper) throws {
    prefix = secret.prefix
    lastFour = secret.lastFour
    lookupHash = pepper.hash(secret.text)
    argon2id = try Argon2id.hash(secret.text)
  }

  var values: [PostgresValue] {
    [.text(prefix), .text(lastFour), .bytes(lookupHash.bytes), .text(argon2id)]
  }
}
