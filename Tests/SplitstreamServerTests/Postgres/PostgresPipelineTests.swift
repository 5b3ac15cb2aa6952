import Testing

@testable import SplitstreamServer

/// What the stores build on: a call is a transaction, each caller gets its own answer, and none
/// before the commit.
@Suite struct PostgresPipelineTests {
  @Test("a thousand calls at once each get their own rows")
  func concurrent() async throws {
    let url = try TestServers.shared.postgresURL()
    let answers = try await PostgresTesting.withPipeline(url) { pipeline, loop in
      let double = Statement(name: "double", sql: "SELECT 2 * $1::bigint")
      let tasks = (0..<1000).map { number in
        loop.start(with: pipeline) {
          try await $0.rows(double, [.int(number)], PostgresTesting.int)
        }
      }
      var answers: [Int] = []
      for task in tasks { answers += try await task.value }
      return answers
    }
    #expect(answers == (0..<1000).map { $0 * 2 })
  }

  @Test("a refused call tells why and disturbs no other")
  func refused() async throws {
    let url = try TestServers.shared.postgresURL()
    try PostgresTesting.session(url).script(
      "CREATE TABLE k (id bigint CONSTRAINT only_once PRIMARY KEY)")
    try await PostgresTesting.withPipeline(url) { pipeline, loop in
      let insert = Statement(name: "insert", sql: "INSERT INTO k VALUES ($1)")
      let inserted = [7, 7, 8].map { id in
        loop.start(with: pipeline) { pipeline in
          await failure { () throws(PostgresError) in try await pipeline.execute(insert, [.int(id)])
          }
        }
      }
      let (first, second, third) = try await (
        inserted[0].value, inserted[1].value, inserted[2].value
      )
      #expect(first == nil)
      #expect(
        second
          == .server(
            PostgresServerError(
              sqlState: "23505",
              message: "duplicate key value violates unique constraint \"only_once\"",
              detail: "Key (id)=(7) already exists.", constraint: "only_once")))
      #expect(second?.violates("only_once") == true && second?.isOutcomeUnknown == false)
      #expect(third == nil)
    }
  }

  @Test("a batch happens whole or not at all")
  func batch() async throws {
    let url = try TestServers.shared.postgresURL()
    try PostgresTesting.session(url).script("CREATE TABLE k (id bigint PRIMARY KEY)")
    try await PostgresTesting.withPipeline(url) { pipeline, _ in
      let insert = Statement(name: "insert", sql: "INSERT INTO k VALUES ($1) RETURNING id")
      let count = Statement(name: "count", sql: "SELECT count(*) FROM k")
      let error = await failure { () throws(PostgresError) in
        try await pipeline.transaction { batch in
          batch.execute(insert, [.int(1)])
          batch.execute(insert, [.int(1)])
          batch.execute(insert, [.int(2)])
        }
      }
      #expect(error?.sqlState == "23505")
      #expect(try await pipeline.rows(count, [], PostgresTesting.int) == [0])
      let (id, stored) = try await pipeline.transaction { batch in
        (
          batch.rows(insert, [.int(3)], PostgresTesting.int),
          batch.execute(
            Statement(name: "many", sql: "INSERT INTO k SELECT unnest($1::bigint[])"),
            [.ints([4, 5])])
        )
      }
      #expect(id.values == [3] && stored.value == 2)
      #expect(pipeline.isConnected)
    }
  }

  /// A caller that is answered before the commit would be told of rows that a deferred check then
  /// takes back.
  @Test("an error of the commit is the call's error")
  func commitFails() async throws {
    let url = try TestServers.shared.postgresURL()
    try PostgresTesting.session(url).script(
      "CREATE TABLE k (id bigint CONSTRAINT late UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    try await PostgresTesting.withPipeline(url) { pipeline, _ in
      let twice = Statement(name: "twice", sql: "INSERT INTO k SELECT 1 FROM generate_series(1, 2)")
      let error = await failure { () throws(PostgresError) in try await pipeline.execute(twice, [])
      }
      #expect(error?.violates("late") == true)
      let count = Statement(name: "count", sql: "SELECT count(*) FROM k")
      let stored = try await pipeline.rows(count, [], PostgresTesting.int)
      #expect(stored == [0])
    }
  }

  @Test("a statement that cannot be prepared fails its calls only, and is tried again")
  func prepareFails() async throws {
    let url = try TestServers.shared.postgresURL()
    try await PostgresTesting.withPipeline(url) { pipeline, loop in
      let absent = Statement(name: "absent", sql: "SELECT count(*) FROM later")
      let tasks = [absent, PostgresTesting.backend, absent].map { statement in
        loop.start(with: pipeline) { pipeline in
          await failure { () throws(PostgresError) in try await pipeline.execute(statement, []) }
        }
      }
      #expect(try await tasks[0].value?.sqlState == "42P01")
      #expect(try await tasks[1].value == nil)
      #expect(try await tasks[2].value?.sqlState == "42P01")
      try await pipeline.execute(
        Statement(name: "create", sql: "CREATE TABLE later (id bigint)"), [])
      #expect(try await pipeline.rows(absent, [], PostgresTesting.int) == [0])
    }
  }

  @Test("a table that changes under a prepared statement costs one refused call")
  func changedColumns() async throws {
    let url = try TestServers.shared.postgresURL()
    let session = try PostgresTesting.session(url)
    try session.script("CREATE TABLE k AS SELECT 1::bigint AS id")
    try await PostgresTesting.withPipeline(url) { pipeline, _ in
      let all = Statement(name: "all", sql: "SELECT * FROM k")
      #expect(try await pipeline.rows(all, []) { row in row.columnCount } == [1])
      try PostgresTesting.session(url).script("ALTER TABLE k ADD COLUMN more text")
      let error = await failure { () throws(PostgresError) in try await pipeline.execute(all, []) }
      #expect(error?.sqlState == "0A000")
      #expect(try await pipeline.rows(all, []) { row in row.columnCount } == [2])
    }
  }

  @Test("a decoding that does not fit is told to its caller only")
  func decoding() async throws {
    let url = try TestServers.shared.postgresURL()
    try await PostgresTesting.withPipeline(url) { pipeline, _ in
      let sum = Statement(name: "sum", sql: "SELECT sum(x) FROM (VALUES (1::bigint)) AS v (x)")
      let error = await failure { () throws(PostgresError) in
        try await pipeline.rows(sum, [], PostgresTesting.int)
      }
      #expect(
        error == .decoding("column 0 has type 1700 (numeric: cast it in the SQL), not integer"))
      try await pipeline.execute(PostgresTesting.backend, [])
    }
  }

  @Test("every connection has our settings")
  func settings() async throws {
    let url = try TestServers.shared.postgresURL() + "?options=-c%20work_mem%3D5MB"
    let settings = try await PostgresTesting.withPipeline(url, timeoutSeconds: 10) { pipeline, _ in
      let names = [
        "client_encoding", "TimeZone", "application_name", "statement_timeout", "work_mem",
      ]
      return try await pipeline.rows(
        Statement(name: "s", sql: "SELECT current_setting(n) FROM unnest($1::text[]) AS n"),
        [.texts(names)], PostgresTesting.text)
    }
    #expect(settings == ["UTF8", "UTC", "pipeline tests", "9s", "5MB"])
  }

  @Test("calls above the limit are refused at once")
  func limit() async throws {
    let url = try TestServers.shared.postgresURL()
    let refused = try await PostgresTesting.withPipeline(url, timeoutSeconds: 30) {
      pipeline, loop in
      let tasks = (0..<PostgresPipeline.callsInFlightMax + 2).map { _ in
        loop.start(with: pipeline) { pipeline in
          await failure { () throws(PostgresError) in
            try await pipeline.execute(PostgresTesting.backend, [])
          }
        }
      }
      var refused: [PostgresError] = []
      for task in tasks { if let error = try await task.value { refused.append(error) } }
      return refused
    }
    #expect(
      refused == Array(repeating: .unavailable("too much waits for answers"), count: 2))
  }
}
