import Testing

@testable import SplitstreamServer

/// The months of `events`: made ahead, once, with bounds in UTC wherever the session thinks it is.
@Suite struct EventPartitionsTests {
  /// Names and bounds of the partitions.
  private func partitions(_ stores: StorageTesting) throws -> [String] {
    try stores.texts(
      """
      SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid)
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      WHERE i.inhparent = 'events'::regclass AND c.relname <> 'events_other' ORDER BY 1
      """)
  }

  /// What they must be: this month and the two after it, by PostgreSQL's clock.
  private func expected(_ stores: StorageTesting) throws -> [String] {
    let now = try stores.texts("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY MM')")[0]
    let parts = now.split(separator: " ").compactMap { Int($0) }
    let first = parts[0] * 12 + parts[1] - 1
    func start(_ month: Int) throws -> String {
      let number = month % 12 + 1
      let text = "\(month / 12)-\(number < 10 ? "0" : "")\(number)-01T00:00:00Z"
      return try ULID.floor(of: #require(Timestamp(rfc3339: text))).uuidText
    }
    return try (first..<first + 3).map { month in
      let number = month % 12 + 1
      let name = "events_\(month / 12)_\(number < 10 ? "0" : "")\(number)"
      return try "\(name) FOR VALUES FROM ('\(start(month))') TO ('\(start(month + 1))')"
    }
  }

  @Test("this month and the next two, also when the session is far from UTC")
  func months() throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    try session.script("SET TimeZone = 'Pacific/Kiritimati'")
    try EventPartitions(session: session).make()
    try #expect(partitions(stores) == expected(stores))
    try EventPartitions(session: session).make()
    try #expect(partitions(stores) == expected(stores))
  }

  @Test("processes that start at once make them once")
  func atOnce() async throws {
    let stores = try StorageTesting.separate()
    // All wait for the same moment: the end of a lock that stands before the first of them.
    let gate = try stores.session()
    try gate.script("BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
    try await withThrowingTaskGroup { group in
      for _ in 0..<4 {
        group.addTask {
          try await onThread {
            let session = try stores.session(named: "partitions")
            try EventPartitions(session: session, lockSecondsMax: 60).make()
          }
        }
      }
      try await stores.waitUntil(
        """
        SELECT (count(*) = 4)::int FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'partitions'
          AND wait_event_type = 'Lock'
        """)
      try gate.script("COMMIT")
      try await group.waitForAll()
    }
    try #expect(partitions(stores) == expected(stores))
  }

  /// PostgreSQL refuses a row on its way to the default partition when the partition of its month
  /// has come meanwhile.
  @Test("an event whose partition is made at that moment is stored, not set aside")
  func duringMake() async throws {
    let stores = try StorageTesting.separate()
    let maker = try stores.session()
    try maker.script("BEGIN")
    try EventPartitions(session: maker).make()
    let event = Event(
      id: .new(), environmentID: .new(), eventKey: "k", unitID: try .named("u"),
      occurredAt: ServerClock.processTime(), properties: nil, clientEventID: nil, isLate: false)
    async let outcome = onThread {
      try EventStore(session: stores.session(named: "storing")).store(.new()) {
        start throws(StorageError) in start == 0 ? [EventCoding.encode([event])] : []
      }
    }
    try await stores.waitUntil(
      """
      SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'storing'
        AND wait_event_type = 'Lock'
      """)
    try maker.script("COMMIT")
    try await #expect(outcome == EventStore.Outcome(stored: 1, total: 1))
    try #expect(stores.count("SELECT count(*) FROM events_other") == 0)
  }

  @Test("an event lies in the month in which it was received, to the millisecond")
  func bounds() throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    try EventPartitions(session: session).make()
    let next = try stores.texts(
      "SELECT to_char(date_trunc('month', now() AT TIME ZONE 'UTC') + interval '1 month', 'YYYY-MM')"
    )[0]
    let first = try #require(Timestamp(rfc3339: "\(next)-01T00:00:00Z"))
    let last = first.adding(milliseconds: -1)
    let unit = try UnitID.named("u")
    let entries = [last, first].map { time in
      EventCoding.encode([
        Event(
          id: .new(at: time), environmentID: .new(), eventKey: "k", unitID: unit,
          occurredAt: time, properties: nil, clientEventID: nil, isLate: false)
      ])
    }
    _ = try EventStore(session: session).store(.new()) { start throws(StorageError) in
      start == 0 ? entries : []
    }
    let places = try stores.texts(
      "SELECT tableoid::regclass::text || ' ' || to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY_MM') FROM events"
    )
    #expect(places.count == 2)
    for place in places {
      let parts = place.split(separator: " ")
      #expect(parts[0] == "events_\(parts[1])")
    }
  }

  @Test("a month is dropped when its time is over and no experiment needs it")
  func retention() throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let now = ServerClock.processTime()
    try session.script(
      """
      CREATE TABLE events_2024_01 PARTITION OF events
        FOR VALUES FROM (ulid_floor('2024-01-01Z')) TO (ulid_floor('2024-02-01Z'));
      CREATE TABLE events_2024_05 PARTITION OF events
        FOR VALUES FROM (ulid_floor('2024-05-01Z')) TO (ulid_floor('2024-06-01Z'))
      """)
    let retention = EventPartitions(session: session)
    try retention.make()
    func old() throws -> [String] {
      try partitions(stores).map { String($0.prefix(14)) }.filter { $0.contains("2024") }
    }
    try retention.drop(olderThanDays: 36_500)
    #expect(try old() == ["events_2024_01", "events_2024_05"])
    // Running since March 2024: it may need what came 60 days before.
    let started = try #require(Timestamp(rfc3339: "2024-03-20T00:00:00Z"))
    let experiment = ExperimentRow { $0.startedAt = started }
    try experiment.insert(in: session)
    try retention.drop(olderThanDays: 30)
    #expect(try old() == ["events_2024_01", "events_2024_05"])
    // Late events may come for 30 days after the stop.
    func stop(_ time: Timestamp) throws {
      let update = Statement(
        name: "stop",
        sql: "UPDATE experiments SET status = 'stopped', stopped_at = $2 WHERE id = $1")
      try session.execute(update, [.id(experiment.id), .instant(time)])
    }
    try stop(now.adding(days: -20))
    try retention.drop(olderThanDays: 30)
    #expect(try old() == ["events_2024_01", "events_2024_05"])
    try stop(now.adding(days: -32))
    // The one that another experiment does not need either.
    try ExperimentRow { $0.startedAt = started.adding(days: 110) }.insert(in: session)
    try retention.drop(olderThanDays: 30)
    #expect(try old() == ["events_2024_05"])
    #expect(try partitions(stores).count == 4)
  }
}
