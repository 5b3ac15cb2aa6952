import Testing

@testable import SplitstreamServer

/// A chunk in PostgreSQL: whole and once, and no entry that is refused keeps the others out.
@Suite struct EventStoreTests {
  private let environment = ULID.new()

  private func event(
    _ unit: String = "u", properties: String? = nil, clientEventID: String? = nil,
    id: ULID = .new(), isLate: Bool = false
  ) throws -> Event {
    Event(
      id: id, environmentID: environment, eventKey: "key", unitID: try .named(unit),
      occurredAt: Timestamp(microseconds: 1_763_715_600_123_456),
      properties: properties.map { [UInt8]($0.utf8) }, clientEventID: clientEventID, isLate: isLate)
  }

  private func store(
    _ entries: [[UInt8]], as chunk: ULID = .new(), in session: PostgresSession
  ) throws -> EventStore.Outcome {
    try EventStore(session: session).store(chunk) { start throws(StorageError) in
      start < entries.count ? Array(entries[start..<min(start + 1000, entries.count)]) : []
    }
  }

  private func units() throws -> [String] {
    try StorageTesting.shared().texts(
      "SELECT unit_id FROM events WHERE environment_id = $1 ORDER BY unit_id", .id(environment))
  }

  private func refused(_ chunk: ULID) throws -> [String] {
    try StorageTesting.shared().texts(
      "SELECT reason FROM rejected_events WHERE chunk_id = $1", .id(chunk))
  }

  @Test("every field arrives as it was accepted")
  func fields() throws {
    let session = try StorageTesting.shared().session()
    let id = ULID.new()
    let events = [
      try event(
        "tab\t\"quote'\\\n", properties: #"{"n": 12345678901234567890.0100, "s": "é\n"}"#,
        clientEventID: "id\\N", id: id, isLate: true),
      try event("ünïcode"),
    ]
    try #expect(store(events.map { EventCoding.encode([$0]) }, in: session).stored == 2)
    let read = Statement(
      name: "events",
      sql: """
        SELECT event_id, event_key, unit_id, occurred_at, properties->>'n', properties->>'s', client_event_id, late
        FROM events WHERE environment_id = $1 ORDER BY unit_id
        """)
    let rows = try session.rows(read, [.id(environment)]) { row throws(PostgresError) in
      (
        id: try row.id(0), key: try row.text(1), unit: try row.text(2), at: try row.instant(3),
        n: try row.textOrNil(4), s: try row.textOrNil(5), client: try row.textOrNil(6),
        late: try row.bool(7)
      )
    }
    let (first, second) = (rows[0], rows[1])
    #expect(first.id == id && first.key == "key" && first.unit == "tab\t\"quote'\\\n")
    #expect(first.at == events[0].occurredAt && first.late && first.client == "id\\N")
    #expect(first.n == "12345678901234567890.0100" && first.s == "é\n")
    #expect(second.unit == "ünïcode" && second.n == nil && second.client == nil && !second.late)
  }

  @Test("a chunk commits once, whoever brings it again")
  func once() throws {
    let session = try StorageTesting.shared().session()
    let chunk = ULID.new()
    let entries = [EventCoding.encode([try event()])]
    try #expect(store(entries, as: chunk, in: session) == EventStore.Outcome(stored: 1, total: 1))
    try #expect(
      store(entries, as: chunk, in: session) == EventStore.Outcome(wasStored: true, total: 1))
    try #expect(units().count == 1)
    let counted = try StorageTesting.shared().count(
      "SELECT event_count FROM drained_chunks WHERE chunk_id = $1", .id(chunk))
    #expect(counted == 1)
  }

  /// What no reader lets through today, and what must not stop the others if one ever does.
  @Test("entries that PostgreSQL refuses are set aside with the reason, the others are stored")
  func poison() throws {
    let session = try StorageTesting.shared().session()
    let chunk = ULID.new()
    let twin = try event("twin")
    var unknownVersion = EventCoding.encode([try event("from the future")])
    unknownVersion[0] = 99
    let poison = [
      EventCoding.encode([try event("nul", properties: "{\"a\":\"\\u0000\"}")]),
      EventCoding.encode([try event("not json", properties: "{")]),
      EventCoding.encode([try event("numeric", properties: #"{"a":1e400000}"#)]),
      Array(EventCoding.encode([try event("cut")]).dropLast(3)),
      EventCoding.encode([try event("more")]) + [0],
      EventCoding.encode([try event("bytes")]).map { $0 == UInt8(ascii: "b") ? 0xff : $0 },
      EventCoding.encode([try event("jsonb", properties: "{}")]).replacingForm(of: "{}", with: 9),
      unknownVersion, [], [1],
    ]
    var entries = try (0..<2100).map { EventCoding.encode([try event("unit-\($0)")]) }
    // An event that is there twice counts once.
    for _ in 0..<2 { entries.insert(EventCoding.encode([twin]), at: 0) }
    for (index, entry) in poison.enumerated() { entries.insert(entry, at: 2 + 187 * index) }
    let outcome = try store(entries, as: chunk, in: session)
    #expect(
      outcome == EventStore.Outcome(stored: 2101, setAside: poison.count, known: 1, total: 2112))
    try #expect(units().count == 2101)
    try #expect(refused(chunk).count == poison.count)
    let kept = try StorageTesting.shared().count(
      "SELECT count(*) FROM rejected_events WHERE chunk_id = $1 AND entry = ANY ($2)", .id(chunk),
      .byteArrays(poison))
    #expect(kept == poison.count)
  }

  @Test("of a page, only the rows that PostgreSQL refuses or has are left out")
  func pageOfMany() throws {
    let session = try StorageTesting.shared().session()
    let chunk = ULID.new()
    var events = try (0..<300).map { try event("unit-\($0)") }
    let known = [events[0], events[299]]
    try #expect(store([EventCoding.encode(known)], in: session).stored == 2)
    for place in [17, 18, 250] { events[place] = try event("poison", properties: "{") }
    let outcome = try store([EventCoding.encode(events)], as: chunk, in: session)
    #expect(outcome == EventStore.Outcome(stored: 295, setAside: 3, known: 2, total: 300))
    try #expect(Set(units()).count == 297)
    try #expect(refused(chunk).count == 3)
    // The chunk counts for what it took from the backlog, whoever brings it again.
    try #expect(store([], as: chunk, in: session).total == 300)
  }

  @Test("a chunk that cannot be read to its end leaves nothing, and can be brought again")
  func unreadable() throws {
    let session = try StorageTesting.shared().session()
    let chunk = ULID.new()
    let entries = try (0..<1500).map { EventCoding.encode([try event("unit-\($0)")]) }
    #expect(throws: StorageError.unavailable(.redis, "gone")) {
      try EventStore(session: session).store(chunk) { start throws(StorageError) in
        if start > 0 { throw .unavailable(.redis, "gone") }
        return Array(entries[..<1000])
      }
    }
    try #expect(units().isEmpty)
    try #expect(store(entries, as: chunk, in: session).stored == 1500)
  }

  @Test("of two who bring one chunk at the same time, the second waits and stores nothing")
  func race() async throws {
    let stores = try StorageTesting.shared()
    let chunk = ULID.new()
    let entries = [EventCoding.encode([try event()])]
    let first = try stores.session()
    try first.script("BEGIN")
    _ = try first.execute(EventStore.begin, [.id(chunk)])
    async let second = onThread {
      try EventStore(session: stores.session(named: "second \(chunk)")).store(chunk) {
        start throws(StorageError) in start == 0 ? entries : []
      }
    }
    try await stores.waitUntil(
      """
      SELECT count(*) FROM pg_stat_activity
      WHERE application_name = $1 AND wait_event_type = 'Lock'
      """, .text("second \(chunk)"))
    try first.script("COMMIT")
    try await #expect(second == EventStore.Outcome(wasStored: true))
  }

  @Test("a Redis that gives again what was stored doubles nothing and holds up nothing")
  func restoredRedis() throws {
    let session = try StorageTesting.shared().session()
    let entries = try (0..<40).map { EventCoding.encode([try event("unit \($0)")]) }
    try #expect(store(Array(entries[..<25]), in: session).stored == 25)
    let outcome = try store(entries, in: session)
    #expect(outcome == EventStore.Outcome(stored: 15, known: 25, total: 40))
    try #expect(units().count == 40)
  }
}

extension [UInt8] {
  /// The entry with another version of jsonb's binary form before this text.
  fileprivate func replacingForm(of text: String, with version: UInt8) -> [UInt8] {
    var bytes = self
    let pattern = [1] + text.utf8
    for start in indices.dropLast(pattern.count - 1)
    where Array(self[start..<start + pattern.count]) == pattern {
      bytes[start] = version
    }
    return bytes
  }
}
