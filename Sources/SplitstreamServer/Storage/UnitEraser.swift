/// Erases the events of units, and keeps those that are still buffered from being stored. One
/// thread's at a time.
struct UnitEraser {
  let session: PostgresSession

  /// A unit as the orders name it.
  private struct Unit: Hashable {
    let environment: ULID
    let hash: [UInt8]
  }

  /// The entries without the events of units that were erased after they were received, and how
  /// many those are.
  ///
  /// Of a transaction that has called `holdOff`: an order that is not seen here is carried out
  /// after the end of it.
  func remaining(
    of entries: [[UInt8]]
  ) throws(PostgresError) -> (entries: [[UInt8]], removed: Int) {
    let received = entries.lazy.flatMap { EventCoding.rows(of: $0) ?? [] }.map(\.receivedAt)
    guard let oldest = received.min() else { return (entries, 0) }
    var orders: [Unit: Timestamp] = [:]
    _ = try session.rows(Self.after, [.instant(oldest)]) { row throws(PostgresError) in
      orders[Unit(environment: try row.id(0), hash: try row.bytes(1))] = try row.instant(2)
    }
    // Nothing is hashed while nobody is erased.
    if orders.isEmpty { return (entries, 0) }
    return EventCoding.filter(entries) { row in
      let unit = Unit(environment: row.environmentID, hash: SHA256.hash(row.unit).bytes)
      return orders[unit].map { row.receivedAt >= $0 } ?? true
    }
  }

  /// Makes the transaction's reading of orders and its storing of events one step for `carryOut`.
  func holdOff() throws(PostgresError) {
    _ = try session.rows(Self.share, []) { _ in }
  }

  /// Deletes the events of units that were ordered to be erased, in one pass through the table;
  /// nothing while another process is at it.
  ///
  /// - Returns: how many orders were carried out.
  func carryOut() throws(PostgresError) -> Int {
    guard try !pending().isEmpty, try isTrue(Self.elect) else { return 0 }
    let orders = try pending()
    // Whoever stored events without seeing these orders has committed when this lock is ours.
    _ = try session.rows(Self.lock, []) { _ in }
    _ = try session.rows(Self.unlock, []) { _ in }
    try session.transaction { () throws(PostgresError) in
      let values: [PostgresValue] = [
        .ids(orders.map(\.environment)), .texts(orders.map(\.unit)),
        .timestamps(orders.map(\.erasedAt.microseconds)),
      ]
      try session.execute(Self.deleteEvents, values)
      try deleteRejected()
      try session.execute(Self.finish, values)
    }
    _ = try isTrue(Self.resign)
    return orders.count
  }

  /// An order whose events are still there.
  private struct Order {
    let environment: ULID
    let unit: String
    let erasedAt: Timestamp
  }

  private func pending() throws(PostgresError) -> [Order] {
    try session.rows(Self.pending, [.int(1000)]) { row throws(PostgresError) in
      Order(environment: try row.id(0), unit: try row.text(1), erasedAt: try row.instant(2))
    }
  }

  private func isTrue(_ statement: Statement) throws(PostgresError) -> Bool {
    try session.rows(statement, []) { row throws(PostgresError) in try row.bool(0) }.first == true
  }

  /// Events that PostgreSQL refused are kept as they were buffered.
  private func deleteRejected() throws(PostgresError) {
    var ids: [ULID] = []
    let rejected = try session.rows(Self.readRejected, []) { row throws(PostgresError) in
      (id: try row.id(0), entry: try row.bytes(1))
    }
    for (id, entry) in rejected where try remaining(of: [entry]).entries.isEmpty {
      ids.append(id)
    }
    if !ids.isEmpty { try session.execute(Self.deleteRejected, [.ids(ids)]) }
  }

  // MARK: Statements

  static let after = Statement(
    name: "erasure_after",
    sql: """
      SELECT environment_id, unit_hash, erased_at FROM unit_erasures WHERE erased_at > $1
      """)

  /// Without a lock, so that nobody who orders a unit's erasure again waits for a pass.
  static let pending = Statement(
    name: "erasure_pending",
    sql: """
      SELECT environment_id, unit_id, erased_at FROM unit_erasures WHERE unit_id IS NOT NULL
      ORDER BY erased_at LIMIT $1::bigint
      """)

  static let deleteEvents = Statement(
    name: "erasure_events",
    sql: """
      DELETE FROM events e USING \(orders)
      WHERE e.environment_id = o.environment_id AND e.unit_id = o.unit_id
        AND e.event_id < ulid_floor(o.erased_at)
      """)

  static let readRejected = Statement(
    name: "erasure_rejected", sql: "SELECT id, entry FROM rejected_events")

  static let deleteRejected = Statement(
    name: "erasure_delete_rejected", sql: "DELETE FROM rejected_events WHERE id = ANY ($1::uuid[])")

  static let finish = Statement(
    name: "erasure_finish",
    sql: """
      UPDATE unit_erasures e SET unit_id = NULL FROM \(orders)
      WHERE e.environment_id = o.environment_id AND e.unit_id = o.unit_id
        AND e.erased_at = o.erased_at
      """)

  private static let orders =
    "unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS o (environment_id, unit_id, erased_at)"

  /// Any numbers that no other program uses as advisory locks: "splitera" and "spliterb" in ASCII.
  private static let electionLock = 8_318_267_711_933_477_473
  private static let storingLock = 8_318_267_711_933_477_474
  static let elect = Statement(
    name: "erasure_elect", sql: "SELECT pg_try_advisory_lock(\(electionLock))")
  static let resign = Statement(
    name: "erasure_resign", sql: "SELECT pg_advisory_unlock(\(electionLock))")
  static let share = Statement(
    name: "erasure_share", sql: "SELECT pg_advisory_xact_lock_shared(\(storingLock))")
  static let lock = Statement(
    name: "erasure_lock", sql: "SELECT pg_advisory_lock(\(storingLock))")
  static let unlock = Statement(
    name: "erasure_unlock", sql: "SELECT pg_advisory_unlock(\(storingLock))")
}
