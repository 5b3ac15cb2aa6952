import Logging
import Testing

@testable import SplitstreamServer

/// From Redis to PostgreSQL: every accepted event once, whoever dies in between.
@Suite struct EventDrainJobTests {
  private static let shard = 5
  private static let keys = EventKeys(shard: shard)

  private static func job(
    _ stores: StorageTesting, leaseSeconds: Int = 3600
  ) throws -> EventDrainJob {
    EventDrainJob(
      postgres: try PostgresAddress(parsing: stores.postgresURL),
      redis: RedisDeployment(address: try RedisAddress(parsing: stores.redisURL)),
      clock: ServerClock(),
      leaseSeconds: leaseSeconds, log: .silent
    ) { [shard] }
  }

  /// The shared database, with a Redis database and an environment of the test's own.
  private static func stores() throws -> (StorageTesting, environment: ULID) {
    let shared = try StorageTesting.shared()
    let own = StorageTesting(
      postgresURL: shared.postgresURL, redisURL: TestServers.shared.redisDatabaseURL())
    return (own, .new())
  }

  /// Accepts events as a loop does, in requests of ten.
  private static func accept(
    _ count: Int, in environment: ULID, _ stores: StorageTesting, from first: Int = 0
  ) async throws {
    let address = try RedisAddress(parsing: stores.redisURL)
    try await LoopRunner.run { loop in
      let pipeline = RedisPipeline(
        to: address, scripts: [EventBuffer.accept], timeoutSeconds: 30, on: loop)
      defer { pipeline.close() }
      let buffer = EventBuffer(redis: [pipeline], backlogMax: 100_000, loop: loop)
      for start in stride(from: first, to: first + count, by: 10) {
        let now = ServerClock.processTime()
        let events = try (start..<min(start + 10, first + count)).map { number in
          Event(
            id: .new(at: now), environmentID: environment, eventKey: "k",
            unitID: try .named("unit-\(number)"), occurredAt: now, properties: nil,
            clientEventID: "id-\(number)", isLate: false)
        }
        _ = try await buffer.accept(events, shard: shard)
      }
    }
  }

  private static func stored(_ environment: ULID, _ stores: StorageTesting) throws -> Int {
    try stores.count("SELECT count(*) FROM events WHERE environment_id = $1", .id(environment))
  }

  private static func distinct(_ environment: ULID, _ stores: StorageTesting) throws -> Int {
    try stores.count(
      "SELECT count(DISTINCT unit_id) FROM events WHERE environment_id = $1", .id(environment))
  }

  @Test("settled: what was accepted before is in PostgreSQL, and off the backlog")
  func settles() async throws {
    let (stores, environment) = try Self.stores()
    let job = try Self.job(stores)
    defer { job.stop() }
    for round in 0..<3 {
      try await Self.accept(25, in: environment, stores, from: 25 * round)
      try await job.settle(shard: Self.shard, withinSeconds: 20)
      try #expect(Self.stored(environment, stores) == 25 * (round + 1))
    }
    let redis = try stores.redis()
    try #expect(redis.number("GET", Self.keys.backlog) == 0)
    try #expect(EventChunks(redis: redis).outstanding(shard: Self.shard) == [])
  }

  @Test("two processes drain one Redis while events come in: each event once")
  func together() async throws {
    let (stores, environment) = try Self.stores()
    let jobs = [try Self.job(stores), try Self.job(stores)]
    defer { for job in jobs { job.stop() } }
    for job in jobs { job.start(everyMilliseconds: 1) }
    try await withThrowingTaskGroup { group in
      for producer in 0..<3 {
        group.addTask {
          try await Self.accept(300, in: environment, stores, from: 300 * producer)
        }
      }
      try await group.waitForAll()
    }
    for job in jobs { try await job.settle(shard: Self.shard, withinSeconds: 300) }
    try #expect(Self.stored(environment, stores) == 900)
    try #expect(Self.distinct(environment, stores) == 900)
    try #expect(stores.redis().number("GET", Self.keys.backlog) == 0)
  }

  @Test("a process that died after its commit: the chunk is repeated and changes no row")
  func diedAfterCommit() async throws {
    let (stores, environment) = try Self.stores()
    try await Self.accept(30, in: environment, stores)
    let chunks = EventChunks(redis: try stores.redis())
    let taken = try chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 0)
    let chunk = try #require(taken)
    let session = try stores.session()
    let outcome = try EventStore(session: session).store(chunk) { start throws(StorageError) in
      try chunks.entries(of: chunk, shard: Self.shard, from: start, count: 2)
    }
    #expect(outcome.stored == 30)
    let job = try Self.job(stores)
    defer { job.stop() }
    try await job.settle(shard: Self.shard, withinSeconds: 20)
    try #expect(Self.stored(environment, stores) == 30)
    try #expect(chunks.redis.number("GET", Self.keys.backlog) == 0)
    try #expect(chunks.outstanding(shard: Self.shard) == [])
  }

  @Test("a process that died before its commit: the chunk is adopted when its lease ends")
  func diedBeforeCommit() async throws {
    let (stores, environment) = try Self.stores()
    try await Self.accept(30, in: environment, stores)
    let chunks = EventChunks(redis: try stores.redis())
    let taken = try chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 3600)
    let chunk = try #require(taken)
    let job = try Self.job(stores)
    defer { job.stop() }
    // While another holds it, nobody may say that all is settled.
    await #expect(throws: StorageError.self) {
      try await job.settle(shard: Self.shard, withinSeconds: 0)
    }
    try #expect(Self.stored(environment, stores) == 0)
    try chunks.renew(chunk, shard: Self.shard, leaseSeconds: 0)
    try await job.settle(shard: Self.shard, withinSeconds: 20)
    try #expect(Self.stored(environment, stores) == 30)
  }

  @Test("woken, it drains before its time")
  func woken() async throws {
    let stores = try StorageTesting.separate()
    let environment = ULID.new()
    try await Self.accept(30, in: environment, stores)
    let job = try Self.job(stores)
    defer { job.stop() }
    job.start(everyMilliseconds: 3_600_000)
    job.wake()
    try await stores.waitUntil(
      "SELECT (count(*) = 30)::int FROM events WHERE environment_id = $1", .id(environment))
  }

  @Test("settled for one who blocks: not while another process holds a chunk")
  func settledBlocking() async throws {
    let (stores, environment) = try Self.stores()
    try await Self.accept(30, in: environment, stores)
    let chunks = EventChunks(redis: try stores.redis())
    let taken = try chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 3600)
    let chunk = try #require(taken)
    try await Self.accept(10, in: environment, stores, from: 30)
    let job = try Self.job(stores)
    defer { job.stop() }
    #expect(!job.isSettled(shard: Self.shard, withinSeconds: 0))
    try #expect(Self.stored(environment, stores) == 10)
    try chunks.renew(chunk, shard: Self.shard, leaseSeconds: 0)
    #expect(job.isSettled(shard: Self.shard, withinSeconds: 20))
    try #expect(Self.stored(environment, stores) == 40)
  }

  @Test("what only guards against repetition goes when nothing can be repeated any more")
  func prunes() async throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let row = ExperimentRow()
    try row.insert(in: session)
    let now = ServerClock.processTime()
    let ids = [9, 9, 6].map { ULID.new(at: now.adding(days: -$0)) }
    let insertChunk = Statement(
      name: "chunk",
      sql: "INSERT INTO drained_chunks (chunk_id, event_count, committed_at) VALUES ($1, 5, $2)")
    for id in ids { _ = try session.execute(insertChunk, [.id(id), .instant(id.time)]) }
    let insertErasure = Statement(
      name: "erasure",
      sql: """
        INSERT INTO unit_erasures (environment_id, unit_id, unit_hash, erased_at)
        SELECT environment_id, $2, $3, $4 FROM experiments WHERE id = $1
        """)
    for (unit, days) in [("", 9), ("pending", 9), ("", 6)] {
      _ = try session.execute(
        insertErasure,
        [
          .id(row.id), unit.isEmpty ? .null : .text(unit),
          .bytes(SHA256.hash([UInt8(days)]).bytes + unit.utf8),
          .instant(now.adding(days: -days)),
        ])
    }
    func left() throws -> [String] {
      try stores.texts(
        """
        SELECT 'chunk ' || round(extract(epoch FROM now() - committed_at) / 86400) FROM drained_chunks
        UNION ALL
        SELECT coalesce(unit_id, 'done') || ' ' || round(extract(epoch FROM now() - erased_at) / 86400) FROM unit_erasures
        ORDER BY 1
        """)
    }
    try #expect(left() == ["chunk 6", "chunk 9", "chunk 9", "done 6", "done 9", "pending 9"])
    let history = DrainHistory(session: session)
    let shard = try stores.count(
      """
      SELECT shard FROM environments v JOIN experiments e ON e.environment_id = v.id
      WHERE e.id = $1
      """, .id(row.id))
    // The second is in Redis still, and so may be what was received before the erasures.
    try history.prune(outstanding: [ids[1]], drained: [shard + 1])
    try #expect(left() == ["chunk 6", "chunk 9", "done 6", "done 9", "pending 9"])
    // The job does so by itself, for the shards that it drains.
    let job = EventDrainJob(
      postgres: try PostgresAddress(parsing: stores.postgresURL),
      redis: RedisDeployment(address: try RedisAddress(parsing: stores.redisURL)),
      clock: ServerClock(), leaseSeconds: 3600, log: .silent
    ) { [shard] }
    defer { job.stop() }
    job.start(everyMilliseconds: 10)
    try await stores.waitUntil(
      "SELECT (count(*) = 2)::int FROM unit_erasures")
    try #expect(left() == ["chunk 6", "done 6", "pending 9"])
  }

  @Test("a lost connection gives the chunk back at once, whatever its lease")
  func givenBack() async throws {
    let shared = try StorageTesting.separate()
    let environment = ULID.new()
    try await Self.accept(30, in: environment, shared)
    let job = try Self.job(shared)
    defer { job.stop() }
    let blocker = try shared.session()
    try blocker.script("BEGIN; LOCK TABLE drained_chunks IN ACCESS EXCLUSIVE MODE")
    let first = Task { try await job.settle(shard: Self.shard, withinSeconds: 20) }
    let waiting = """
      FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'splitstream drain' AND wait_event_type = 'Lock'
      """
    // On one thread, before the statement has waited too long.
    try await onThread {
      TestProcess.waitUntil("the drain waits, and its session is ended") {
        let ended = try? shared.count("SELECT count(pg_terminate_backend(pid)) \(waiting)")
        return ended ?? 0 > 0
      }
    }
    await #expect(throws: StorageError.self) { try await first.value }
    try blocker.script("COMMIT")
    try await job.settle(shard: Self.shard, withinSeconds: 20)
    try #expect(Self.stored(environment, shared) == 30)
  }

  @Test("the timer keeps the table of remembered ids in shape")
  func upkeep() async throws {
    let (stores, environment) = try Self.stores()
    try await Self.accept(10, in: environment, stores)
    let redis = try RedisSession(to: RedisAddress(parsing: stores.redisURL))
    _ = try redis.number("HSET", Self.keys.seen, [UInt8]("ids".utf8), [UInt8]("100000".utf8))
    let job = try Self.job(stores)
    defer { job.stop() }
    job.start(everyMilliseconds: 50)
    let wanted = 100_000 / SeenTable.idsPerBucketMax + 1
    try await eventually("the table has grown") {
      try SeenTableUpkeep(redis: redis).size(shard: Self.shard).table.bucketCount == wanted
    }
  }

  @Test("the timer drains by itself, also when a partition cannot be made")
  func timer() async throws {
    let stores = try StorageTesting.separate()
    let environment = ULID.new()
    // Whoever reads the table keeps partitions from being made, but no event from being stored.
    let reader = try stores.session()
    try reader.script("BEGIN; LOCK TABLE events IN ACCESS SHARE MODE")
    let job = try Self.job(stores)
    defer { job.stop() }
    try await Self.accept(30, in: environment, stores)
    job.start(everyMilliseconds: 10)
    try await stores.waitUntil(
      "SELECT count(*) FROM events WHERE environment_id = $1", .id(environment))
    try reader.script("COMMIT")
    try await stores.waitUntil("SELECT count(*) FROM pg_class WHERE relname ~ '^events_20.._..$'")
    // Those that came before are where they belong.
    try await stores.waitUntil("SELECT (count(*) = 0)::int FROM events_other")
    try #expect(Self.stored(environment, stores) == 30)
  }
}
