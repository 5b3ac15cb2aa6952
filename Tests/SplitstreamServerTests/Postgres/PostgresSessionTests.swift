import Synchronization
import Testing

@testable import SplitstreamServer

/// The blocking session of jobs and commands: transactions, COPY, notifications, bounded waits.
@Suite struct PostgresSessionTests {
  static let count = Statement(name: "count", sql: "SELECT count(*) FROM k")
  static let insert = Statement(name: "insert", sql: "INSERT INTO k VALUES ($1)")

  private func session(timeoutSeconds: Double = 10) throws -> PostgresSession {
    let url = try TestServers.shared.postgresURL(database: "session")
    let session = try PostgresTesting.session(url, timeoutSeconds: timeoutSeconds)
    try session.script("CREATE TABLE k (id bigint PRIMARY KEY); COMMENT ON TABLE k IS 'keys'")
    return session
  }

  private func count(_ session: PostgresSession) throws -> Int {
    try session.rows(Self.count, [], PostgresTesting.int)[0]
  }

  @Test("a transaction commits, or undoes everything with the error of its body")
  func transaction() throws {
    let session = try session()
    let stored = try session.transaction { () throws(PostgresError) in
      try session.execute(Self.insert, [.int(1)])
    }
    #expect(stored == 1)
    let duplicate = #expect(throws: PostgresError.self) {
      try session.transaction { () throws(PostgresError) in
        try session.execute(Self.insert, [.int(2)])
        try session.execute(Self.insert, [.int(1)])
      }
    }
    #expect(duplicate?.sqlState == "23505")
    #expect(try count(session) == 1)
  }

  @Test("an error that the body passes over does not become a commit")
  func passedOver() throws {
    let session = try session()
    let error = #expect(throws: PostgresError.self) {
      try session.transaction { () throws(PostgresError) in
        try session.execute(Self.insert, [.int(1)])
        do throws(PostgresError) { try session.script("SELECT 1/0") } catch {}
      }
    }
    #expect(error?.sqlState == "25P02")
    #expect(try count(session) == 0)
  }

  @Test("a body that commits by itself is refused")
  func commitInside() throws {
    let session = try session()
    let error = #expect(throws: PostgresError.self) {
      try session.transaction { () throws(PostgresError) in try session.script("COMMIT") }
    }
    #expect(error?.sqlState == "25P01")
    #expect(try count(session) == 0)
  }

  @Test("a savepoint undoes its own part only")
  func savepoint() throws {
    let session = try session()
    try session.transaction { () throws(PostgresError) in
      try session.execute(Self.insert, [.int(1)])
      do throws(PostgresError) {
        try session.savepoint { () throws(PostgresError) in
          try session.execute(Self.insert, [.int(2)])
          try session.execute(Self.insert, [.int(1)])
        }
      } catch {
        #expect(error.sqlState == "23505")
      }
      try session.savepoint { () throws(PostgresError) in
        _ = try session.execute(Self.insert, [.int(3)])
      }
    }
    #expect(try count(session) == 2)
  }

  @Test("COPY takes rows in chunks of any size")
  func copy() throws {
    let session = try session()
    try session.script(
      "CREATE TABLE c (i bigint, t text, j jsonb, b bytea, at timestamptz, a text[])")
    var rows = CopyRows()
    var next = 0
    var chunks: [[UInt8]] = []
    while next < 20_000 {
      rows.append([
        .int(next), .text("line\n\t\\.\\ \(next)"), .jsonb(Array(#"{"n": \#(next)}"#.utf8)),
        next == 3 ? .null : .bytes([0, 1]), .timestamp(microseconds: next), .texts(["", nil]),
      ])
      next += 1
      if rows.byteCount > 100_000 { chunks.append(rows.takeBytes()) }
    }
    rows.end()
    // A cut anywhere, also within a number, changes nothing.
    let last = rows.takeBytes()
    chunks += [Array(last.prefix(3)), [], Array(last.dropFirst(3))]
    var remaining = chunks[...]
    let copied = try session.copyIn("COPY c FROM STDIN (FORMAT binary)") { remaining.popFirst() }
    #expect(copied == 20_000)
    let check = Statement(
      name: "check",
      sql: """
        SELECT count(*) FROM c WHERE t = E'line\\n\\t\\\\.\\\\ ' || i AND j->'n' = to_jsonb(i) AND b IS NOT NULL
          AND at = 'epoch'::timestamptz + i * interval '1 microsecond' AND a = ARRAY['', NULL]
        """)
    #expect(try session.rows(check, [], PostgresTesting.int) == [19_999])
  }

  @Test("a COPY that the server refuses leaves the session usable")
  func copyRefused() throws {
    let session = try session()
    var chunks: [[UInt8]] = (0..<50).map { _ in Array(repeating: UInt8(ascii: "x"), count: 100_000)
    }
    let error = #expect(throws: PostgresError.self) {
      try session.copyIn("COPY k FROM STDIN (FORMAT binary)") { chunks.popLast() }
    }
    #expect(error?.sqlState == "22P04")
    #expect(try count(session) == 0)
  }

  @Test("a notification arrives with its payload")
  func notification() throws {
    let url = try TestServers.shared.postgresURL(database: "notify")
    let (listener, sender) = try (PostgresTesting.session(url), PostgresTesting.session(url))
    try listener.listen("a \"channel\"")
    #expect(try listener.takeNotifications() == [])
    let notify = Statement(name: "notify", sql: "SELECT pg_notify('a \"channel\"', $1::text)::text")
    _ = try sender.execute(notify, [.text("x")])
    _ = try sender.execute(notify, [.text("y")])
    var arrived: [PostgresNotification] = []
    while arrived.count < 2, try listener.wait(forSeconds: 10) {
      arrived += try listener.takeNotifications()
    }
    #expect(arrived.map(\.payload) == ["x", "y"])
    #expect(arrived.allSatisfy { $0.channel == "a \"channel\"" })
    #expect(try !listener.wait(forSeconds: 0))
  }

  @Test("a session that its server ends throws, and stays closed")
  func terminated() throws {
    let url = try TestServers.shared.postgresURL(database: "session")
    let (session, other) = try (PostgresTesting.session(url), PostgresTesting.session(url))
    let backend = try session.rows(PostgresTesting.backend, [], PostgresTesting.int)[0]
    let terminate = Statement(name: "t", sql: "SELECT pg_terminate_backend($1::bigint::int, 10000)")
    try other.execute(terminate, [.int(backend)])
    #expect(
      throws: PostgresError.lost("FATAL:  terminating connection due to administrator command")
    ) { try session.execute(PostgresTesting.backend, []) }
    #expect(!session.isOpen)
    #expect(throws: PostgresError.unavailable("the session is closed")) {
      try session.execute(PostgresTesting.backend, [])
    }
  }

  @Test("a server that does not answer costs a time-out")
  func timeout() throws {
    let session = try session(timeoutSeconds: 3)
    try session.script("SET statement_timeout = 0")
    #expect(throws: PostgresError.timeout) {
      try session.execute(PostgresTesting.sleep, [.double(60)])
    }
    #expect(!session.isOpen)
  }

  @Test("no server: nothing was sent")
  func absent() throws {
    let address = try PostgresAddress(parsing: "postgres://x@%2Ftmp%2Fnowhere/y")
    let error = #expect(throws: PostgresError.self) {
      try PostgresSession(to: address, applicationName: "tests")
    }
    #expect(error?.isOutcomeUnknown == false)
  }
}
