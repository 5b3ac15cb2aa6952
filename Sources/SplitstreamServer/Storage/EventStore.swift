/// Brings chunks of accepted events into PostgreSQL. One thread's at a time.
struct EventStore {
  let session: PostgresSession

  /// What became of a chunk.
  struct Outcome: Equatable {
    /// Events that are in the table now because of this call.
    var stored = 0
    /// Events that PostgreSQL would not take; they are in `rejected_events` with the reason.
    var setAside = 0
    /// Events that another chunk has stored: a Redis that lost its last moments gives them again.
    var known = 0
    /// Events of units that were erased after they were received.
    var erased = 0
    /// The chunk had been committed before; only its removal is left to do.
    var wasStored = false

    /// What the chunk counts for in the backlog.
    var total = 0
  }

  /// Stores all entries of a chunk in one transaction together with the chunk's id, so that it
  /// commits once.
  ///
  /// - Parameter page: some entries from a position on; empty at the end. A refused event costs at
  ///   most this much work to find.
  func store(
    _ chunk: ULID, page: (_ start: Int) throws(StorageError) -> [[UInt8]]
  ) throws(StorageError) -> Outcome {
    var outcome = Outcome()
    var failure: StorageError?
    do {
      try session.transaction { () throws(PostgresError) in
        guard try session.execute(Self.begin, [.id(chunk)]) == 1 else {
          outcome.wasStored = true
          outcome.total = try countStored(chunk)
          return
        }
        let eraser = UnitEraser(session: session)
        try eraser.holdOff()
        var start = 0
        var next = Result { () throws(StorageError) in try page(start) }
        while true {
          let entries: [[UInt8]]
          do throws(StorageError) {
            entries = try next.get()
          } catch {
            failure = error
            throw PostgresError.unavailable("the chunk could not be read")
          }
          if entries.isEmpty { break }
          start += entries.count
          outcome.total += entries.reduce(0) { $0 + EventCoding.count(of: $1) }
          let (remaining, erased) = try eraser.remaining(of: entries)
          outcome.erased += erased
          var isNextRead = false
          func readNext() {
            if !isNextRead { next = Result { () throws(StorageError) in try page(start) } }
            isNextRead = true
          }
          try copy(remaining[...], of: chunk, into: &outcome, meanwhile: readNext)
          readNext()
        }
        _ = try session.execute(Self.count, [.id(chunk), .int(outcome.total)])
      }
    } catch {
      throw failure ?? StorageError(error)
    }
    return outcome
  }

  private func countStored(_ chunk: ULID) throws(PostgresError) -> Int {
    try session.rows(Self.counted, [.id(chunk)]) { row throws(PostgresError) in
      try row.int(0)
    }.first ?? 0
  }

  /// Copies the entries; when PostgreSQL refuses a row, finds it by halves, sets it aside and
  /// stores the others.
  ///
  /// - Parameters:
  ///   - isRepeated: whether PostgreSQL has refused this one row before. One refusal says nothing: a
  ///     row on its way to the default partition is refused when the partition of its month is made
  ///     at that moment.
  ///   - meanwhile: called while PostgreSQL is busy, or never.
  private func copy(
    _ entries: ArraySlice<[UInt8]>, of chunk: ULID, into outcome: inout Outcome,
    isRepeated: Bool = false, meanwhile: () -> Void = {}
  ) throws(PostgresError) {
    if entries.isEmpty { return }
    do {
      outcome.stored += try session.savepoint { () throws(PostgresError) in
        try copyTogether(entries, meanwhile)
      }
    } catch {
      guard Self.isAboutData(error) else { throw error }
      if error.sqlState == Self.uniqueViolation {
        let (unknown, known) = try unknown(entries)
        if known > 0 {
          outcome.known += known
          return try copy(unknown[...], of: chunk, into: &outcome)
        }
      }
      if entries.count == 1, let entry = entries.first {
        if let rows = EventCoding.rows(of: entry), rows.count > 1 {
          let parts = rows.map { EventCoding.page(of: [$0]) }
          return try copy(parts[...], of: chunk, into: &outcome)
        }
        if !isRepeated { return try copy(entries, of: chunk, into: &outcome, isRepeated: true) }
        _ = try session.execute(Self.setAside, [.id(chunk), .bytes(entry), .text("\(error)")])
        outcome.setAside += 1
        return
      }
      let middle = entries.startIndex + entries.count / 2
      try copy(entries[..<middle], of: chunk, into: &outcome)
      try copy(entries[middle...], of: chunk, into: &outcome)
    }
  }

  private func copyTogether(
    _ entries: ArraySlice<[UInt8]>, _ meanwhile: () -> Void
  ) throws(PostgresError) -> Int {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(entries.reduce(64) { $0 + $1.count })
    bytes += EventCoding.copyHeader
    var expected = 0
    for entry in entries {
      guard let rows = EventCoding.copyRows(of: entry) else {
        throw Self.refusal("the entry is of an unknown version")
      }
      bytes.append(contentsOf: rows)
      expected += EventCoding.count(of: entry)
    }
    bytes.append(contentsOf: EventCoding.copyTrailer)
    var isSent = false
    let count = try session.copyIn(Self.copySQL, meanwhile: meanwhile) {
      defer { isSent = true }
      return isSent ? nil : bytes
    }
    guard count == expected else { throw Self.refusal("\(expected) events are \(count) rows") }
    return count
  }

  /// The entries without the rows that are stored, and how many those are.
  private func unknown(
    _ entries: ArraySlice<[UInt8]>
  ) throws(PostgresError) -> (entries: [[UInt8]], removed: Int) {
    let ids = entries.flatMap { EventCoding.rows(of: $0) ?? [] }.map(\.eventID)
    let known = Set(
      try session.rows(Self.known, [.ids(ids)]) { row throws(PostgresError) in try row.id(0) })
    return EventCoding.filter(entries) { !known.contains($0.eventID) }
  }

  private static let uniqueViolation = "23505"

  private static func refusal(_ message: String) -> PostgresError {
    .server(PostgresServerError(sqlState: "22000", message: message))
  }

  /// Data exceptions (22), broken constraints (23), limits (54), a malformed binary row (08P01, or
  /// XX000 where PostgreSQL has no code for it): about this row, not the server.
  private static func isAboutData(_ error: PostgresError) -> Bool {
    guard let state = error.sqlState else { return false }
    return ["22", "23", "54"].contains(state.prefix(2)) || ["08P01", "XX000"].contains(state)
  }

  static let copySQL = "COPY events (\(EventCoding.columns)) FROM STDIN (FORMAT binary)"

  static let begin = Statement(
    name: "chunk_begin",
    sql: "INSERT INTO drained_chunks (chunk_id, event_count) VALUES ($1, 0) ON CONFLICT DO NOTHING")

  static let count = Statement(
    name: "chunk_count",
    sql: "UPDATE drained_chunks SET event_count = $2::bigint WHERE chunk_id = $1")

  static let counted = Statement(
    name: "chunk_counted", sql: "SELECT event_count FROM drained_chunks WHERE chunk_id = $1")

  static let known = Statement(
    name: "events_known", sql: "SELECT event_id FROM events WHERE event_id = ANY ($1::uuid[])")

  static let setAside = Statement(
    name: "event_set_aside",
    sql: "INSERT INTO rejected_events (chunk_id, entry, reason) VALUES ($1, $2, $3)")
}
