/// First answers to requests that carry an Idempotency-Key, for 24 hours.
///
/// A claim is a row of its own, committed before the work begins. What the work does carries the
/// claim's id in its audit line, in its own transaction: a second attempt finds that line, or
/// cannot commit beside it.
struct IdempotencyStore {
  let database: Database

  /// How long a request may take before another may try the same. Longer than any request waits for
  /// anything.
  static let leaseSeconds = 120

  /// One use of an Idempotency-Key.
  struct Claim: Sendable {
    let apiKeyID: ULID
    let key: String
    /// What the request says; another under the same key is a mistake.
    let fingerprint: Hash256
    let id: ULID
  }

  /// An answer as it is kept. Without a body when it holds a secret: that is shown once.
  struct Answer: Sendable {
    let status: Int
    let headers: [(name: String, value: String)]
    let contentType: String?
    let body: [UInt8]?
  }

  enum Outcome: Sendable {
    /// The work is this caller's; it is marked with this id.
    case first(ULID)
    case answered(Answer)
    case otherRequest
    case inProgress
    /// The work was done and whoever did it ended before its answer was kept.
    case answerLost
  }

  func claim(_ claim: Claim) async throws(StorageError) -> Outcome {
    // Between the two statements a refused request may have given the key back; then it is free.
    for _ in 0..<3 {
      let claimed = try await database.row(
        Self.claim,
        [
          .id(claim.apiKeyID), .text(claim.key), .id(claim.id), .bytes(claim.fingerprint.bytes),
          .int(Self.leaseSeconds),
        ]
      ) { row throws(PostgresError) in (id: try row.id(0), isDone: try row.bool(1)) }
      if let claimed { return claimed.isDone ? .answerLost : .first(claimed.id) }
      if let known = try await database.row(
        Self.read, [.id(claim.apiKeyID), .text(claim.key), .bytes(claim.fingerprint.bytes)],
        Self.outcome)
      {
        return known
      }
    }
    return .inProgress
  }

  func keep(_ answer: Answer, of claim: Claim, as id: ULID) async throws(StorageError) {
    try await database.execute(
      Self.keep,
      [
        .id(claim.apiKeyID), .text(claim.key), .id(id), .int(answer.status),
        .jsonb(Self.encode(answer.headers)), .text(orNull: answer.contentType),
        answer.body.map(PostgresValue.bytes) ?? .null,
      ])
  }

  /// A refused request does not use up its key.
  func forget(_ claim: Claim, as id: ULID) async throws(StorageError) {
    try await database.execute(Self.forget, [.id(claim.apiKeyID), .text(claim.key), .id(id)])
  }

  /// What became of the work is unknown: the next attempt may begin at once.
  func release(_ claim: Claim, as id: ULID) async throws(StorageError) {
    try await database.execute(Self.release, [.id(claim.apiKeyID), .text(claim.key), .id(id)])
  }

  // MARK: Rows

  private static func outcome(_ row: Row) throws(PostgresError) -> Outcome {
    guard try row.bool(0) else { return .otherRequest }
    guard try !row.isNull(1) else { return .inProgress }
    return .answered(
      Answer(
        status: try row.int(1), headers: try decode(try row.json(2)),
        contentType: try row.textOrNil(3), body: try row.isNull(4) ? nil : row.bytes(4)))
  }

  /// `[["ETag", "\"1\""]]`: order and repetition count.
  private static func encode(_ headers: [(name: String, value: String)]) -> [UInt8] {
    var json = JSONWriter()
    json.array(headers) { [$1.name, $1.value].write(to: &$0) }
    return json.bytes
  }

  private static func decode(_ bytes: [UInt8]) throws(PostgresError) -> [(
    name: String, value: String
  )] {
    guard let headers = try? JSONValue(parsing: bytes) else {
      throw .decoding("idempotency_keys.headers is not JSON")
    }
    return headers.elements.compactMap { header in
      let parts = header.elements.compactMap(\.string)
      return parts.count == 2 ? (name: parts[0], value: parts[1]) : nil
    }
  }

  // MARK: Statements

  static let claim = Statement(
    name: "idempotency_claim",
    sql: """
      WITH claimed AS (
        INSERT INTO idempotency_keys AS k (api_key_id, key, id, fingerprint, leased_until)
        VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5::bigint))
        ON CONFLICT (api_key_id, key) DO UPDATE SET
          id = CASE WHEN k.created_at < now() - interval '24 hours' THEN excluded.id ELSE k.id END,
          created_at =
            CASE WHEN k.created_at < now() - interval '24 hours' THEN now() ELSE k.created_at END,
          fingerprint = excluded.fingerprint, leased_until = excluded.leased_until,
          status = NULL, headers = NULL, content_type = NULL, body = NULL
        WHERE k.created_at < now() - interval '24 hours'
          OR k.status IS NULL AND k.leased_until <= now() AND k.fingerprint = excluded.fingerprint
        RETURNING id)
      SELECT id, EXISTS (SELECT FROM audit_log WHERE id = claimed.id) FROM claimed
      """)

  static let read = Statement(
    name: "idempotency_read",
    sql: """
      SELECT fingerprint = $3, status, headers, content_type, body
      FROM idempotency_keys WHERE api_key_id = $1 AND key = $2
      """)

  static let keep = Statement(
    name: "idempotency_keep",
    sql: """
      UPDATE idempotency_keys SET status = $4::bigint, headers = $5, content_type = $6, body = $7
      WHERE api_key_id = $1 AND key = $2 AND id = $3
      """)

  static let forget = Statement(
    name: "idempotency_forget",
    sql: """
      DELETE FROM idempotency_keys
      WHERE api_key_id = $1 AND key = $2 AND id = $3 AND status IS NULL
      """)

  static let release = Statement(
    name: "idempotency_release",
    sql: """
      UPDATE idempotency_keys SET leased_until = now()
      WHERE api_key_id = $1 AND key = $2 AND id = $3 AND status IS NULL
      """)

  /// Those that have had their day.
  static let expire = Statement(
    name: "idempotency_expire",
    sql: "DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours'")
}
