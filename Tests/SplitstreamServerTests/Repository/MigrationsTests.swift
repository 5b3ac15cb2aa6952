import Testing

@testable import SplitstreamServer

/// The steps of the schema: the files of `migrations/` and the list in App/Schema.swift say the
/// same.
@Suite struct MigrationsTests {
  @Test("the program holds exactly the files, in their order")
  func files() throws {
    let paths = try Repository.files(in: "migrations", withExtension: "sql")
    let listed = Schema.migrations.map { migration in
      let digits = String(migration.version)
      let version = String(repeating: "0", count: 4 - digits.count) + digits
      return "migrations/\(version)_\(migration.name).sql"
    }
    #expect(listed == paths)
    #expect(Schema.migrations.map(\.version) == Array(1...paths.count))
    for (migration, path) in zip(Schema.migrations, paths) {
      #expect(migration.sql == (try Repository.text(path)), "\(path)")
    }
  }

  @Test("each says what it is for, how to deploy it, and how to undo it")
  func headers() throws {
    for path in try Repository.files(in: "migrations", withExtension: "sql") {
      let lines = try Repository.text(path).split(
        separator: "\n", omittingEmptySubsequences: false)
      let number = try #require(path.firstMatch(of: /\/(\d{4})_/)?.1)
      #expect(lines[0].hasPrefix("-- \(number): "), "\(path)")
      for word in ["Why", "Deploy", "Undo"] {
        #expect(
          lines.contains { $0.firstMatch(of: /^-- (\w+): ./)?.1 == Substring(word) },
          "\(path): \(word)")
      }
    }
  }

  @Test("they run on an empty database, once")
  func applied() throws {
    let url = try TestServers.shared.postgresURL(database: "migrations")
    let session = try PostgresSession(
      to: PostgresAddress(parsing: url), applicationName: "migrations tests")
    #expect(try Migrator(session: session).apply(Schema.migrations) == Schema.migrations)
    #expect(try Migrator(session: session).apply(Schema.migrations) == [])
  }

  /// PostgreSQL's ULID functions agree with ours, on instants before and after every boundary of a
  /// unit.
  @Test("ulid_time and ulid_floor are the time and the floor of a ULID")
  func ulidFunctions() throws {
    let stores = try StorageTesting.shared()
    var random = SplitMix64(seed: 5)
    // To the end of 2199.
    let times = (0..<500).map { _ in
      Timestamp(microseconds: Int.random(in: 0..<7_258_118_400_000_000, using: &random))
    }
    let ids = times.map { ULID(time: $0, random: (random.next(), random.next())) }
    let session = try stores.session()
    let statement = Statement(
      name: "ulids",
      sql: """
        SELECT ulid_time(id), ulid_floor(instant)
        FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS t (id, instant, place) ORDER BY place
        """)
    let rows = try session.rows(
      statement, [.ids(ids), .timestamps(times.map(\.microseconds))]
    ) { row throws(PostgresError) in (time: try row.instant(0), floor: try row.id(1)) }
    #expect(rows.map(\.time) == ids.map(\.time))
    #expect(rows.map(\.floor) == times.map(ULID.floor))
  }

  /// A function call for every event of an experiment would be most of the analysis.
  @Test("ulid_time is written into the query that uses it")
  func inlined() throws {
    let plan = try StorageTesting.shared().texts(
      "EXPLAIN (VERBOSE) SELECT ulid_time(event_id) FROM events")
    #expect(plan.contains { $0.contains("to_timestamp") })
    #expect(!plan.contains { $0.contains("ulid_time") })
  }
}
