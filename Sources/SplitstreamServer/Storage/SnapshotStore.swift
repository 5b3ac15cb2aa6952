/// Reads snapshots for the API, as they were stored.
struct SnapshotReader {
  let database: Database

  struct Stored: Sendable {
    let id: ULID
    /// The snapshot's JSON.
    let result: [UInt8]
  }

  func latest(of experiment: ULID) async throws(StorageError) -> [UInt8]? {
    try await history(of: experiment, page: Page(before: nil, limit: 1)).first?.result
  }

  /// Newest first.
  func history(of experiment: ULID, page: Page) async throws(StorageError) -> [Stored] {
    try await database.rows(Self.list, [.id(experiment), .id(page.before), .int(page.limit)]) {
      row throws(PostgresError) in Stored(id: try row.id(0), result: try row.json(1))
    }
  }

  static let list = Statement(
    name: "snapshot_list",
    sql: """
      SELECT id, result FROM analysis_snapshots
      WHERE experiment_id = $1 AND ($2::uuid IS NULL OR id < $2)
      ORDER BY id DESC LIMIT $3::bigint
      """)
}

/// Writes snapshots, and says which are due. One thread's at a time.
struct SnapshotStore {
  let session: PostgresSession

  /// Runs `body` unless another process is in its own at this moment. The lock ends with the
  /// session at the latest.
  func whenElected(_ body: () throws -> Void) throws {
    let isElected = try session.rows(Self.elect, []) { row throws(PostgresError) in try row.bool(0)
    }.first
    guard isElected == true else { return }
    try body()
    try session.execute(Self.resign, [])
  }

  /// Experiments whose time has come, the longest waiting first.
  func due(limit: Int) throws(PostgresError) -> [Due] {
    try session.rows(Self.findDue, [.int(limit), .int(Self.waitSecondsMax)]) {
      row throws(PostgresError) in
      Due(experiment: try row.id(0), awaitedShard: try row.intOrNil(1))
    }
  }

  /// An experiment whose time has come.
  struct Due: Equatable, Sendable {
    let experiment: ULID
    /// The final snapshot is of all that was accepted before the stop, also of what Redis of this
    /// shard still holds. Waited for no longer than `waitSecondsMax`.
    var awaitedShard: Int?
  }

  /// After that the final snapshot is made of what has arrived; the daily ones after it are of the
  /// rest.
  static let waitSecondsMax = 600

  /// The least sequential SRM p of all snapshots so far, in whichever order they were stored; 1
  /// before the first.
  func previousSequentialP(of experiment: ULID) throws(PostgresError) -> Double {
    try session.rows(Self.readLeastP, [.id(experiment)]) { row throws(PostgresError) in
      try row.doubleOrNil(0) ?? 1
    }.first ?? 1
  }

  /// The p-value process up to the last snapshot, by variant key. One under other settings is
  /// another process, and begins anew: the smaller of two would be no p-value.
  func previousRunningP(of experiment: ULID, under rule: DecisionRule) throws(PostgresError)
    -> [String: Double]
  {
    let stored = try session.rows(
      Self.readRunningP, [.id(experiment), .jsonb(SnapshotInputsCoding.settings(of: rule))]
    ) { row throws(PostgresError) in try row.json(0) }.first
    guard let stored else { return [:] }
    return try SnapshotInputsCoding.runningP(stored)
  }

  /// Counts and records a peek.
  func recordPeek(_ audit: AuditEntry, at experiment: ULID) throws(PostgresError) {
    try session.execute(Self.recordPeek, [.id(experiment)] + audit.values)
  }

  func peekCount(of experiment: ULID) throws(PostgresError) -> Int {
    try session.rows(Self.countPeeks, [.id(experiment)]) { row throws(PostgresError) in
      try row.int(0)
    }.first ?? 0
  }

  func insert(_ snapshot: Snapshot) throws(PostgresError) {
    try session.execute(
      Self.insertSnapshot,
      [
        .id(snapshot.id), .id(snapshot.experimentID), .instant(snapshot.period.asOf),
        .bool(snapshot.isOnDemand),
        .double(snapshot.result.sampleRatio.sequentialP),
        .jsonb(SnapshotInputsCoding.inputs(snapshot)),
        .utf8(SnapshotCoding.result(snapshot)), .jsonb(SnapshotInputsCoding.runningP(snapshot)),
      ])
  }

  /// Any number that no other program uses as an advisory lock: "splitana" in ASCII.
  private static let electionLock = 8_318_832_012_735_110_753
  static let elect = Statement(
    name: "snapshot_elect", sql: "SELECT pg_try_advisory_lock(\(electionLock))")
  static let resign = Statement(
    name: "snapshot_resign", sql: "SELECT pg_advisory_unlock(\(electionLock))")

  /// Running ones by their cadence; stopped ones once more, then once a day while late events may
  /// still come.
  static let findDue = Statement(
    name: "snapshot_due",
    sql: """
      SELECT e.id,
        CASE WHEN e.status = 'stopped' AND coalesce(s.computed_at < e.stopped_at, true)
          AND now() < e.stopped_at + make_interval(secs => $2::bigint) THEN v.shard END
      FROM experiments e
      JOIN environments v ON v.id = e.environment_id
      LEFT JOIN LATERAL (
        SELECT computed_at FROM analysis_snapshots WHERE experiment_id = e.id ORDER BY id DESC LIMIT 1) s ON true
      WHERE e.status = 'running'
          AND coalesce(s.computed_at, e.started_at) + make_interval(mins => e.snapshot_cadence_minutes::int) <= now()
        OR e.status = 'stopped' AND e.started_at IS NOT NULL
          AND (coalesce(s.computed_at < e.stopped_at, true)
            OR now() < e.stopped_at + interval '30 days' AND s.computed_at < now() - interval '1 day')
      ORDER BY coalesce(s.computed_at, e.started_at) LIMIT $1::bigint
      """)

  static let readLeastP = Statement(
    name: "snapshot_least_p",
    sql: "SELECT min(sequential_srm_p) FROM analysis_snapshots WHERE experiment_id = $1")

  static let readRunningP = Statement(
    name: "snapshot_running_p",
    sql: """
      SELECT CASE WHEN inputs -> 'rule' @> $2 THEN running_p ELSE '{}' END FROM analysis_snapshots
      WHERE experiment_id = $1 ORDER BY id DESC LIMIT 1
      """)

  static let recordPeek = Statement(
    name: "snapshot_peek",
    sql: """
      WITH peeked AS (UPDATE experiments SET peek_count = peek_count + 1 WHERE id = $1 RETURNING id)
      \(AuditEntry.insert(from: "peeked", first: 2))
      """)

  static let countPeeks = Statement(
    name: "snapshot_peeks", sql: "SELECT peek_count FROM experiments WHERE id = $1")

  static let insertSnapshot = Statement(
    name: "snapshot_insert",
    sql: """
      INSERT INTO analysis_snapshots
        (id, experiment_id, computed_at, on_demand, sequential_srm_p, inputs, result, running_p)
      VALUES ($1, $2, $3, $4, $5, $6, $7::json, $8)
      """)
}
