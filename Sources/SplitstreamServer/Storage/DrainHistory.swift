/// What the drain leaves in PostgreSQL so that nothing is stored twice or in spite of an erasure, and
/// when it may go. One thread's at a time.
struct DrainHistory {
  let session: PostgresSession

  /// Long after whatever a process or a connection may still bring late.
  static let daysMin = 7

  /// Forgets chunks that are in Redis no more, and erased units in environments where nothing
  /// received before their erasure can be on its way.
  ///
  /// A Redis that later gives such a chunk again is still stopped by its events' ids.
  ///
  /// - Parameters:
  ///   - outstanding: the chunks under way of all shards.
  ///   - drained: the shards that had no chunk under way after their buffer was drained.
  func prune(outstanding: Set<ULID>, drained: Set<Int>) throws(StorageError) {
    do {
      try session.execute(Self.forgetChunks, [.ids(Array(outstanding)), .int(Self.daysMin)])
      for shard in drained {
        try session.execute(Self.forgetErasures, [.int(shard), .int(Self.daysMin)])
      }
    } catch {
      throw StorageError(error)
    }
  }

  /// By the time within the id, which the primary key finds.
  static let forgetChunks = Statement(
    name: "drain_forget_chunks",
    sql: """
      DELETE FROM drained_chunks
      WHERE chunk_id < ulid_floor(now() - make_interval(days => $2::bigint::int))
        AND committed_at < now() - make_interval(days => $2::bigint::int)
        AND chunk_id <> ALL ($1::uuid[])
      """)

  static let forgetErasures = Statement(
    name: "drain_forget_erasures",
    sql: """
      DELETE FROM unit_erasures e USING environments v
      WHERE v.id = e.environment_id AND v.shard = $1::bigint AND e.unit_id IS NULL
        AND e.erased_at < now() - make_interval(days => $2::bigint::int)
      """)
}
