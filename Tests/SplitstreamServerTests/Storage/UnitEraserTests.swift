import Testing

@testable import SplitstreamServer

/// An erasure wins over every event received before it, wherever that is at the moment.
@Suite struct UnitEraserTests {
  private let environment = ULID.new()

  private func entry(_ unit: String, at time: Timestamp) throws -> [UInt8] {
    EventCoding.encode([
      Event(
        id: .new(at: time), environmentID: environment, eventKey: "key", unitID: try .named(unit),
        occurredAt: time, properties: nil, clientEventID: nil, isLate: false)
    ])
  }

  private func store(_ entries: [[UInt8]], in session: PostgresSession) throws
    -> EventStore.Outcome
  {
    try EventStore(session: session).store(.new()) { start throws(StorageError) in
      start == 0 ? entries : []
    }
  }

  private func order(_ unit: String, _ stores: StorageTesting, at time: Timestamp) throws {
    let insert = Statement(
      name: "order",
      sql: """
        INSERT INTO unit_erasures (environment_id, unit_id, unit_hash, erased_at)
        VALUES ($1, $2, $3, $4)
        """)
    let hash = SHA256.hash(Array(unit.utf8)).bytes
    _ = try stores.session().execute(
      insert, [.id(environment), .text(unit), .bytes(hash), .instant(time)])
  }

  private func units(_ stores: StorageTesting) throws -> [String] {
    try stores.texts(
      "SELECT unit_id FROM events WHERE environment_id = $1 ORDER BY event_id", .id(environment))
  }

  @Test("an entry tells whose it is and when it was received")
  func subject() throws {
    let time = Timestamp(microseconds: 1_763_715_600_123_000)
    let entry = try entry("ünit", at: time)
    let row = try #require(EventCoding.rows(of: entry)?.first)
    #expect(row.receivedAt == time)
    #expect(row.environmentID == environment)
    #expect(Array(row.unit) == Array("ünit".utf8))
    let pair = EventCoding.page(of: [row, row])
    #expect(EventCoding.rows(of: pair)?.map(\.eventID) == [row.eventID, row.eventID])
    for length in 0..<pair.count {
      #expect(EventCoding.rows(of: Array(pair[..<length])) == nil)
      let cut = EventCoding.rows(of: Array(entry.prefix(length)))
      #expect(cut?.first?.unit.count ?? 5 == 5)
    }
    // As they were buffered before there were pages.
    let single = [1] + entry[EventCoding.pageHeaderLength...]
    #expect(EventCoding.rows(of: single)?.map(\.eventID) == [row.eventID])
    #expect(EventCoding.count(of: single) == 1)
  }

  @Test("of a buffered chunk, what was received before the erasure is not stored")
  func buffered() throws {
    let stores = try StorageTesting.shared()
    let session = try stores.session()
    let now = ServerClock.processTime()
    try order("gone", stores, at: now)
    let entries = try [
      entry("gone", at: now.adding(seconds: -5)), entry("stays", at: now.adding(seconds: -4)),
      entry("gone", at: now.adding(seconds: 5)),
    ]
    let outcome = try store(entries, in: session)
    #expect(outcome == EventStore.Outcome(stored: 2, erased: 1, total: 3))
    #expect(try units(stores) == ["stays", "gone"])
    // Nothing but what was erased.
    #expect(try store([entries[0]], in: session) == EventStore.Outcome(erased: 1, total: 1))
  }

  @Test("stored and refused events go; what came later, and other environments', stay")
  func stored() throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let now = ServerClock.processTime()
    var refused = try entry("gone", at: now.adding(seconds: -3))
    // A field too few: PostgreSQL sets it aside.
    refused[EventCoding.pageHeaderLength + 1] = 7
    let entries = try [
      entry("gone", at: now.adding(seconds: -5)), entry("stays", at: now.adding(seconds: -4)),
      refused, entry("gone", at: now.adding(seconds: 5)),
    ]
    #expect(try store(entries, in: session) == EventStore.Outcome(stored: 3, setAside: 1, total: 4))
    let elsewhere = UnitEraserTests()
    _ = try elsewhere.store([elsewhere.entry("gone", at: now.adding(seconds: -9))], in: session)
    let eraser = UnitEraser(session: session)
    #expect(try eraser.carryOut() == 0)
    try order("gone", stores, at: now)
    #expect(try eraser.carryOut() == 1)
    #expect(try units(stores) == ["stays", "gone"])
    #expect(try elsewhere.units(stores) == ["gone"])
    #expect(try stores.count("SELECT count(*) FROM rejected_events") == 0)
    #expect(try stores.count("SELECT count(*) FROM unit_erasures WHERE unit_id IS NOT NULL") == 0)
    #expect(try eraser.carryOut() == 0)
  }

  @Test("events that a drain stores at this moment without knowing of the order go, too")
  func storedMeanwhile() async throws {
    let stores = try StorageTesting.separate()
    let now = ServerClock.processTime()
    let drain = try stores.session()
    let gone = try entry("gone", at: now.adding(seconds: -5))
    // Half-way through its chunk: the first page is looked at, the second is not read yet.
    var erasure: Task<Int, any Error>?
    let outcome = try EventStore(session: drain).store(.new()) { start throws(StorageError) in
      guard start > 0 else { return [gone] }
      if erasure != nil { return [] }
      do {
        try order("gone", stores, at: now)
      } catch {
        throw .failed(.postgres, "\(error)")
      }
      // Its thread begins before this one waits for it.
      erasure = Task.immediate {
        try await onThread { try UnitEraser(session: try stores.session()).carryOut() }
      }
      TestProcess.waitUntil("the erasure waits for the drain") {
        let waiting = """
          SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
          WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted
          """
        return (try? stores.count(waiting)) == 1
      }
      return [gone]
    }
    #expect(outcome == EventStore.Outcome(stored: 1, erased: 1, total: 2))
    #expect(try await erasure?.value == 1)
    #expect(try units(stores) == [])
  }
}
