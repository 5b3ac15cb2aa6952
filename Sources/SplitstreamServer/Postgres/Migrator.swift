/// One step of the schema: applied once, in the order of the versions, never changed after that.
struct Migration: Sendable, Equatable {
  let version: Int
  let name: String
  let sql: String
}

/// Brings a database to the schema that the program knows.
///
/// Each migration is one transaction together with its record, so a crash leaves it done or not
/// begun; an advisory lock keeps the others waiting when several processes start at once.
struct Migrator {
  private let session: PostgresSession

  /// The session's time-out bounds each migration and the wait for the lock.
  init(session: PostgresSession) {
    self.session = session
  }

  /// Applies what is missing. The versions ascend strictly.
  ///
  /// - Returns: the migrations applied by this call.
  func apply(_ migrations: [Migration]) throws(MigrationError) -> [Migration] {
    try postgres { () throws(PostgresError) in _ = try session.rows(Self.lock, []) { _ in } }
    defer { unlock() }
    let missing = try pending(migrations)
    for migration in missing { try apply(migration) }
    return missing
  }

  /// What `apply` would do now. Refuses a database whose history is not the beginning of ours.
  func pending(_ migrations: [Migration]) throws(MigrationError) -> [Migration] {
    precondition(
      zip(migrations, migrations.dropFirst()).allSatisfy { $0.version < $1.version },
      "the versions of migrations must ascend")
    let applied = try postgres { () throws(PostgresError) in
      try session.script(Self.table)
      return try session.rows(Self.applied, [], Record.init)
    }
    let known = Dictionary(uniqueKeysWithValues: migrations.map { ($0.version, $0) })
    for record in applied {
      guard let migration = known[record.version] else {
        throw .unknown(version: record.version, name: record.name)
      }
      guard try checksum(migration) == record.checksum else {
        throw .changed(version: migration.version, name: migration.name)
      }
    }
    let done = Set(applied.map(\.version))
    let missing = migrations.filter { !done.contains($0.version) }
    if let first = missing.first, let last = applied.last, first.version < last.version {
      throw .outOfOrder(version: first.version, name: first.name)
    }
    return missing
  }

  private func apply(_ migration: Migration) throws(MigrationError) {
    do throws(PostgresError) {
      try session.transaction { () throws(PostgresError) in
        try session.script(migration.sql)
        try session.execute(
          Self.record, [.int(migration.version), .text(migration.name), .text(migration.sql)])
      }
    } catch {
      throw .failed(version: migration.version, name: migration.name, error)
    }
  }

  private func checksum(_ migration: Migration) throws(MigrationError) -> [UInt8] {
    let rows = try postgres { () throws(PostgresError) in
      try session.rows(Self.checksum, [.text(migration.sql)]) { row throws(PostgresError) in
        try row.bytes(0)
      }
    }
    return rows[0]
  }

  /// The end of the session would unlock too; its failure changes nothing.
  private func unlock() {
    do throws(PostgresError) { _ = try session.rows(Self.unlock, []) { _ in } } catch {
      session.close()
    }
  }

  private func postgres<T>(
    _ body: () throws(PostgresError) -> T
  ) throws(MigrationError) -> T {
    do throws(PostgresError) { return try body() } catch { throw .postgres(error) }
  }

  private struct Record {
    let version: Int
    let name: String
    let checksum: [UInt8]

    init(row: Row) throws(PostgresError) {
      version = try row.int(0)
      name = try row.text(1)
      checksum = try row.bytes(2)
    }
  }

  // The key is "ss:schema" in ASCII; whoever migrates takes the same.
  private static let lock = Statement(
    name: "migrator_lock", sql: "SELECT pg_advisory_lock(x'73733a736368656d'::bigint)")
  private static let unlock = Statement(
    name: "migrator_unlock", sql: "SELECT pg_advisory_unlock(x'73733a736368656d'::bigint)")
  private static let table = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
      version    bigint PRIMARY KEY,
      name       text NOT NULL,
      checksum   bytea NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE schema_migrations IS 'What the migrator has applied.';
    COMMENT ON COLUMN schema_migrations.checksum IS 'SHA-256 of the migration as it was applied.';
    """
  private static let applied = Statement(
    name: "migrator_applied",
    sql: "SELECT version, name, checksum FROM schema_migrations ORDER BY version")
  private static let checksum = Statement(
    name: "migrator_checksum", sql: "SELECT sha256(convert_to($1::text, 'UTF8'))")
  private static let record = Statement(
    name: "migrator_record",
    sql: """
      INSERT INTO schema_migrations (version, name, checksum)
      VALUES ($1::bigint, $2, sha256(convert_to($3::text, 'UTF8')))
      """)
}

/// Why a database was not brought to the program's schema.
enum MigrationError: Error, Equatable, Sendable {
  /// The database did not answer, or refused something beside a migration.
  case postgres(PostgresError)
  /// The migration was rolled back; those before it stand.
  case failed(version: Int, name: String, PostgresError)
  /// The text of an applied migration is no longer what was applied.
  case changed(version: Int, name: String)
  /// The database holds a migration that this program does not know: a newer program has been here.
  case unknown(version: Int, name: String)
  /// A migration stands before one that is applied already.
  case outOfOrder(version: Int, name: String)
}
