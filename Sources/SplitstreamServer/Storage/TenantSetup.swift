/// Makes a tenant from nothing, by the operator's own commands. One thread's at a time.
struct TenantSetup {
  let session: PostgresSession
  let pepper: Pepper

  /// The workspace with this slug, if there is one.
  func workspace(slug: String) throws(PostgresError) -> ULID? {
    try session.rows(Self.findWorkspace, [.text(slug)]) { row throws(PostgresError) in try row.id(0)
    }.first
  }

  /// The environments of a workspace by slug.
  func environments(of workspace: ULID) throws(PostgresError) -> [String: ULID] {
    let page: [PostgresValue] = [.id(workspace), .null, .null, .int(1000)]
    let found = try session.rows(TenancyStore.listEnvironments, page, TenancyStore.environment)
    return Dictionary(uniqueKeysWithValues: found.map { ($0.slug, $0.id) })
  }

  func createWorkspace(slug: String, name: String, ids: inout ULIDGenerator) throws(PostgresError)
    -> ULID
  {
    let id = ids.make(at: ServerClock.processTime())
    try session.execute(Self.insertWorkspace, [.id(id), .text(slug), .text(name)])
    return id
  }

  func createEnvironment(
    slug: String, name: String, in workspace: ULID, ids: inout ULIDGenerator
  ) throws(PostgresError) -> ULID {
    let id = ids.make(at: ServerClock.processTime())
    let audit = audit("environment.created", "environment", id, workspace, environment: id, &ids)
    try session.execute(
      TenancyStore.createEnvironment,
      [
        .id(id), .id(workspace), .text(slug), .text(name),
        .int(Int(id.low % Environment.shardCount)),
      ] + audit.values)
    return id
  }

  /// - Parameter environment: nil binds the key to the workspace alone.
  func createKey(
    _ kind: APIKey.Kind, name: String, in workspace: ULID, environment: (id: ULID, slug: String)?,
    ids: inout ULIDGenerator
  ) throws -> KeySecret {
    let secret = KeySecret(kind: kind, environmentSlug: environment?.slug)
    let id = ids.make(at: ServerClock.processTime())
    let stored = NewAPIKey(
      id: id, workspaceID: workspace, environmentID: environment?.id, kind: kind, name: name,
      secret: try StoredSecret(secret, pepper: pepper))
    let audit = audit(
      "api_key.created", "api_key", id, workspace, environment: environment?.id, &ids)
    try session.execute(TenancyStore.createKey, stored.values + audit.values)
    return secret
  }

  /// Whether a key is in force: stored under this pepper and not revoked.
  func isInForce(_ key: String) throws(PostgresError) -> Bool {
    try session.rows(Self.findKey, [.bytes(pepper.hash(key).bytes)]) { row throws(PostgresError) in
      try row.bool(0)
    }
    .first ?? false
  }

  private func audit(
    _ action: String, _ type: String, _ target: ULID, _ workspace: ULID, environment: ULID?,
    _ ids: inout ULIDGenerator
  ) -> AuditEntry {
    AuditEntry(
      id: ids.make(at: ServerClock.processTime()),
      actor: Actor(workspaceID: workspace, environmentID: environment, keyID: nil), action: action,
      targetType: type,
      targetID: target, payload: [UInt8]("{}".utf8))
  }

  static let findWorkspace = Statement(
    name: "setup_find_workspace", sql: "SELECT id FROM workspaces WHERE slug = $1")

  static let insertWorkspace = Statement(
    name: "setup_insert_workspace",
    sql: "INSERT INTO workspaces (id, slug, name) VALUES ($1, $2, $3)")

  static let findKey = Statement(
    name: "setup_find_key",
    sql: "SELECT true FROM api_keys WHERE lookup_hash = $1 AND revoked_at IS NULL")
}
