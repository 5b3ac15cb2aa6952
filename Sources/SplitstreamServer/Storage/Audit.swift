/// Who asked for a mutation, and within which walls.
struct Actor: Sendable {
  let workspaceID: ULID
  /// Nil: the whole workspace.
  let environmentID: ULID?
  /// The API key; nil for the operator's own commands.
  let keyID: ULID?
  /// Of the Idempotency-Key that the request came with; the id of the one line that tells what it
  /// did.
  var idempotencyID: ULID?
}

/// One line of the audit log: a mutation or a peek, written in the transaction that it records.
struct AuditEntry: Sendable {
  let id: ULID
  let actor: Actor
  let action: String
  let targetType: String
  let targetID: ULID
  /// A JSON object.
  let payload: [UInt8]

  /// What a second attempt under one Idempotency-Key runs into: its line has the same id.
  static let onceConstraint = "audit_log_pkey"

  /// An INSERT to stand in a WITH clause: one entry for each row of `source`. Its values are
  /// `values`, from `$first` on.
  static func insert(from source: String, first: Int) -> String {
    let parameters = zip(0..., ["uuid", "uuid", "uuid", "uuid", "text", "text", "text", "jsonb"])
      .map { "$\(first + $0)::\($1)" }.joined(separator: ", ")
    return """
      INSERT INTO audit_log
        (id, workspace_id, environment_id, actor_id, action, target_type, target_id, payload)
      SELECT \(parameters) FROM \(source)
      """
  }

  var values: [PostgresValue] {
    [
      .id(actor.idempotencyID ?? id), .id(actor.workspaceID), .id(actor.environmentID),
      .id(actor.keyID), .text(action),
      .text(targetType), .text(targetID.text), .jsonb(payload),
    ]
  }
}

/// Reads the audit log.
struct AuditStore {
  let database: Database

  /// An entry as it is listed.
  struct Line: Sendable {
    let id: ULID
    let actorID: ULID?
    let action: String
    let targetType: String
    let targetID: String
    let payload: [UInt8]
    let createdAt: Timestamp
  }

  struct Filter: Sendable {
    var action: String?
    var targetType: String?
    var targetID: String?
    var actorID: ULID?
    /// From this time on, and before that one.
    var since: Timestamp?
    var until: Timestamp?
  }

  /// Newest first. A key that is bound to an environment reads that environment's lines only.
  func lines(
    of workspace: ULID, environment: ULID?, matching filter: Filter, page: Page
  ) async throws(StorageError) -> [Line] {
    try await database.rows(
      Self.list,
      [
        .id(workspace), .id(environment), .text(orNull: filter.action),
        .text(orNull: filter.targetType),
        .text(orNull: filter.targetID), .id(page.before), .int(page.limit), .id(filter.actorID),
        filter.since.map(PostgresValue.instant) ?? .null,
        filter.until.map(PostgresValue.instant) ?? .null,
      ]
    ) { row throws(PostgresError) in
      Line(
        id: try row.id(0), actorID: try row.idOrNil(1), action: try row.text(2),
        targetType: try row.text(3),
        targetID: try row.text(4), payload: try row.json(5), createdAt: try row.instant(6))
    }
  }

  static let list = Statement(
    name: "audit_list",
    sql: """
      SELECT id, actor_id, action, target_type, target_id, payload, created_at
      FROM audit_log
      WHERE workspace_id = $1 AND ($2::uuid IS NULL OR environment_id = $2)
        AND ($3::text IS NULL OR action = $3) AND ($4::text IS NULL OR target_type = $4)
        AND ($5::text IS NULL OR target_id = $5) AND ($6::uuid IS NULL OR id < $6)
        AND ($8::uuid IS NULL OR actor_id = $8)
        AND ($9::timestamptz IS NULL OR created_at >= $9)
        AND ($10::timestamptz IS NULL OR created_at < $10)
      ORDER BY id DESC LIMIT $7::bigint
      """)
}

/// Which part of a list, newest first.
struct Page: Sendable {
  /// Only what is older than this id; nil on the first page.
  var before: ULID?
  var limit: Int
}
