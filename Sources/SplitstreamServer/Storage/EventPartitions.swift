/// Makes the monthly partitions of `events` ahead of their time, and drops them when theirs is
/// over. One thread's at a time.
struct EventPartitions {
  let session: PostgresSession
  /// A long analysis reads the table: come back later instead of keeping all others waiting.
  var lockSecondsMax = 3

  /// Makes sure that the month of PostgreSQL's now and the two after it have partitions.
  func make() throws(StorageError) {
    do {
      let months = try session.rows(Self.missing, []) { row throws(PostgresError) in try row.text(0)
      }
      for month in months { try session.script(create(month)) }
    } catch {
      throw StorageError(error)
    }
  }

  /// Drops the months that ended more than `days` ago and that no experiment needs any more.
  func drop(olderThanDays days: Int) throws(StorageError) {
    do {
      let names = try session.rows(Self.expired, [.int(days)]) { row throws(PostgresError) in
        try row.text(0)
      }
      for name in names {
        // Names of a fixed form only, as `expired` answers them.
        try session.script("SET LOCAL lock_timeout = '\(lockSecondsMax)s'; DROP TABLE \(name)")
      }
    } catch {
      throw StorageError(error)
    }
  }

  /// An experiment needs what it may have counted or may still count: from 60 days before its
  /// start, for values from before it, to the last late event, 30 days after its stop, and the
  /// snapshot of the day after.
  static let expired = Statement(
    name: "partition_expired",
    sql: """
      SELECT name FROM (
        SELECT relname::text AS name,
          (to_date(right(relname, 7), 'YYYY_MM') + interval '1 month') AT TIME ZONE 'UTC' AS month_end
        FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE inhparent = 'events'::regclass AND relname ~ '^events_\\d{4}_\\d{2}$' OFFSET 0) AS month
      WHERE month_end <= now() - $1::bigint * interval '1 day' AND NOT EXISTS (
        SELECT FROM experiments
        WHERE started_at < month_end + interval '60 days'
          AND (stopped_at IS NULL OR stopped_at > now() - interval '31 days'))
      ORDER BY name
      """)

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

  /// - Parameter month: digits and `_` only, as `missing` answers it; table names take no
  ///   parameters.
  private func create(_ month: String) -> String {
    """
    SET LOCAL lock_timeout = '\(lockSecondsMax)s';
    -- One process at a time; whoever stores or reads events goes on.
    LOCK TABLE ONLY events IN SHARE UPDATE EXCLUSIVE MODE;
    DO $$
    DECLARE
      month timestamp := to_date('\(month)', 'YYYY_MM');
      low uuid := ulid_floor(month AT TIME ZONE 'UTC');
      high uuid := ulid_floor((month + interval '1 month') AT TIME ZONE 'UTC');
    BEGIN
      -- Another process may have made it while we waited for the lock.
      IF to_regclass('events_\(month)') IS NOT NULL THEN RETURN; END IF;
      CREATE TABLE events_\(month) (LIKE events INCLUDING DEFAULTS);
      -- Events that came before their month had a partition.
      WITH moved AS (DELETE FROM events_other WHERE event_id >= low AND event_id < high RETURNING *)
      INSERT INTO events_\(month) SELECT * FROM moved;
      EXECUTE format(
        'ALTER TABLE events ATTACH PARTITION events_\(month) FOR VALUES FROM (%L) TO (%L)', low, high);
    END $$
    """
  }
}
