/// Makes the monthly partitions of `events` ahead of their time. One thread's at a time.
struct EventPartitions {
  let session: PostgresSession

  /// Makes sure that the month of PostgreSQL's now and the two after it have partitions.
  func make() throws(StorageError) {
    do {
      let months = try session.rows(Self.missing, []) { row throws(PostgresError) in try row.text(0)
      }
      for month in months { try session.script(Self.create(month)) }
    } catch {
      throw StorageError(error)
    }
  }

  /// Months without a partition as `2026_11`.
  static let missing = Statement(
    name: "partition_missing",
    sql: """
      SELECT to_char(month, 'YYYY_MM')
      FROM generate_series(
        date_trunc('month', now() AT TIME ZONE 'UTC'), date_trunc('month', now() AT TIME ZONE 'UTC') + interval '2 months',
        interval '1 month') AS month
      WHERE to_regclass('events_' || to_char(month, 'YYYY_MM')) IS NULL
      """)

  /// - Parameter month: digits and `_` only, as `missing` answers it; table names take no parameters.
  private static func create(_ month: String) -> String {
    let from = "(to_date('\(month)', 'YYYY_MM')::timestamp AT TIME ZONE 'UTC')"
    let to = "((to_date('\(month)', 'YYYY_MM')::timestamp + interval '1 month') AT TIME ZONE 'UTC')"
    return """
      DO $$ BEGIN
        EXECUTE format(
          'CREATE TABLE IF NOT EXISTS events_\(month) PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
          ulid_floor(\(from)), ulid_floor(\(to)));
      END $$
      """
  }
}
