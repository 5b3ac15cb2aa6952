import Logging
import Synchronization
import Testing

@testable import SplitstreamServer

extension AnalysisJob {
  /// A job of a test's own.
  static func on(
    _ stores: StorageTesting, parallelMax: Int = 2, bringForwardEvents: Int = 0,
    isSettled: @escaping @Sendable (Int) -> Bool = { _ in true }
  ) throws -> AnalysisJob {
    AnalysisJob(
      postgres: try PostgresAddress(parsing: stores.postgresURL), parallelMax: parallelMax,
      bringForwardEvents: bringForwardEvents, log: .silent, isSettled: isSettled)
  }
}

/// Snapshots: computed when they are due and when asked for, whatever happens beside them.
@Suite struct AnalysisJobTests {
  /// A snapshot of an earlier time, as far as the due date and the latch look at it.
  private static func addSnapshot(
    of row: ExperimentRow, at time: Timestamp, leastP: Double = 1, in stores: StorageTesting
  ) throws {
    let insert = Statement(
      name: "snapshot",
      sql: """
        INSERT INTO analysis_snapshots
          (id, experiment_id, computed_at, on_demand, sequential_srm_p, inputs, result)
        VALUES ($1, $2, $3, false, $4, '{}', '{}')
        """)
    _ = try stores.session().execute(
      insert, [.id(.new(at: time)), .id(row.id), .instant(time), .double(leastP)])
  }

  @Test("which experiments are due, the longest waiting first")
  func due() throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let now = ServerClock.processTime()
    func minutesAgo(_ minutes: Int) -> Timestamp { now.adding(seconds: -60 * minutes) }
    /// The last snapshot `last` minutes ago, nil for none.
    func add(
      _ status: String, started: Int?, stopped: Int? = nil, cadence: Int = 60, last: Int? = nil
    ) throws -> ULID {
      let row = ExperimentRow {
        $0.status = status
        $0.startedAt = started.map(minutesAgo)
        $0.stoppedAt = stopped.map(minutesAgo)
        $0.cadenceMinutes = cadence
      }
      try row.insert(in: session)
      if let last { try Self.addSnapshot(of: row, at: minutesAgo(last), in: stores) }
      return row.id
    }
    let day = 24 * 60
    let never = [
      try add("draft", started: nil), try add("running", started: 59),
      try add("running", started: day, last: 59),
      try add("running", started: day, cadence: day + 5),
      // Stopped, and looked at since; more often than once a day is not needed.
      try add("stopped", started: 9 * day, stopped: 2 * day, last: day - 5),
      // Nothing can be late any more.
      try add("stopped", started: 99 * day, stopped: 31 * day, last: 30 * day),
      try add("archived", started: 9 * day, stopped: 8 * day),
      // Archived before it ran.
      try add("archived", started: nil),
    ]
    let expected = [
      // Not looked at since the stop, however long ago that is.
      try add("stopped", started: 99 * day, stopped: 31 * day, last: 32 * day),
      try add("stopped", started: 20 * day, stopped: 10 * day, last: 10 * day - 5),
      try add("stopped", started: 5 * day),
      try add("running", started: 3 * day), try add("running", started: 5 * day, last: 2 * day),
      try add("stopped", started: 9 * day, stopped: 10, last: 70),
      try add("running", started: 9 * day, last: 61),
    ]
    let store = SnapshotStore(session: session)
    try #expect(store.due(limit: 100).map(\.experiment) == expected)
    try #expect(store.due(limit: 2).map(\.experiment) == Array(expected.prefix(2)))
    #expect(never.count == 8)
  }

  @Test("one process at a time is elected")
  func election() throws {
    let stores = try StorageTesting.separate()
    let (first, second) = try (stores.session(), stores.session())
    var ran: [String] = []
    try SnapshotStore(session: first).whenElected {
      ran.append("first")
      try SnapshotStore(session: second).whenElected { ran.append("second") }
    }
    try SnapshotStore(session: second).whenElected { ran.append("later") }
    #expect(ran == ["first", "later"])
  }

  @Test("what is due is computed by the timer, past one that cannot be")
  func scheduled() async throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let rows = (0..<3).map { index in
      ExperimentRow {
        $0.startedAt = ServerClock.processTime().adding(days: index - 9)
        $0.metricEvents = ["primary"]
      }
    }
    for row in rows { try row.insert(in: session) }
    // The longest waiting, and unreadable.
    let spoil = Statement(
      name: "spoil", sql: "UPDATE weight_epochs SET allocation = '[]' WHERE experiment_id = $1")
    _ = try session.execute(spoil, [.id(rows[0].id)])
    let job = try AnalysisJob.on(stores)
    defer { job.stop() }
    job.start(everySeconds: 1)
    try await stores.waitUntil("SELECT (count(*) = 2)::int FROM analysis_snapshots")
    let flags = try stores.texts("SELECT on_demand::text FROM analysis_snapshots")
    #expect(flags == ["false", "false"])
  }

  @Test("as many as configured are computed at the same time, those that wait longest first")
  func bounded() async throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let rows = (0..<6).map { index in
      ExperimentRow { $0.startedAt = ServerClock.processTime().adding(days: index - 9) }
    }
    for row in rows.shuffled() { try row.insert(in: session) }
    let job = try AnalysisJob.on(stores, parallelMax: 3)
    defer { job.stop() }
    // First, also after a failure: the job waits for what this session has locked.
    defer { session.close() }
    // Nobody can store a snapshot before all that may begin have begun.
    try session.script("BEGIN; LOCK TABLE analysis_snapshots IN SHARE MODE")
    job.start(everySeconds: 1)
    try await stores.waitUntil(
      """
      SELECT (count(*) = 3)::int FROM pg_locks
      WHERE relation = 'analysis_snapshots'::regclass AND NOT granted
      """)
    let busy = try stores.count(
      """
      SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'splitstream analysis'
        AND state <> 'idle'
        -- Which experiments hold erased units is asked beside the snapshots.
        AND query NOT LIKE 'SELECT DISTINCT experiment_id FROM changed_units%'
      """)
    #expect(busy == 3)
    try session.script("COMMIT")
    try await stores.waitUntil("SELECT (count(*) = 6)::int FROM analysis_snapshots")
    let order = try stores.texts(
      "SELECT experiment_id::text FROM analysis_snapshots ORDER BY computed_at")
    #expect(Set(order.prefix(3)) == Set(rows.prefix(3).map(\.id.uuidText)))
  }

  @Test("one that takes long holds up no other")
  func fair() async throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let rows = (0..<5).map { index in
      ExperimentRow { $0.startedAt = ServerClock.processTime().adding(days: index - 9) }
    }
    for row in rows { try row.insert(in: session) }
    let job = try AnalysisJob.on(stores)
    defer { job.stop() }
    // The first in the line waits for somebody else's work on it.
    let held = try stores.session()
    defer { held.close() }
    let key = PostgresValue.int(Int(bitPattern: UInt(rows[0].id.low)))
    try held.execute(UnitStore.lock, [key])
    job.start(everySeconds: 1)
    try await stores.waitUntil("SELECT (count(*) = 4)::int FROM analysis_snapshots")
    let without = try stores.texts(
      """
      SELECT e.id::text FROM experiments e LEFT JOIN analysis_snapshots s ON s.experiment_id = e.id
      WHERE s.id IS NULL
      """)
    #expect(without == [rows[0].id.uuidText])
    held.close()
    try await stores.waitUntil("SELECT (count(*) = 5)::int FROM analysis_snapshots")
  }

  @Test("the final snapshot waits for what was accepted before the stop, but not for ever")
  func finalWaits() async throws {
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    let now = ServerClock.processTime()
    func stopped(secondsAgo: Int) throws -> ExperimentRow {
      let row = ExperimentRow {
        $0.status = "stopped"
        $0.startedAt = now.adding(days: -9)
        $0.stoppedAt = now.adding(seconds: -secondsAgo)
        $0.metricEvents = ["primary"]
      }
      try row.insert(in: session)
      return row
    }
    let recent = try stopped(secondsAgo: 5)
    let overdue = try stopped(secondsAgo: SnapshotStore.waitSecondsMax + 5)
    let due = try SnapshotStore(session: session).due(limit: 10)
    let shard = try #require(due.first { $0.experiment == recent.id }?.awaitedShard)
    #expect(due.contains(SnapshotStore.Due(experiment: overdue.id)))

    let asked = Mutex<Set<Int>>([])
    let isOpen = Atomic<Bool>(false)
    let job = try AnalysisJob.on(stores) { shard in
      asked.withLock { _ = $0.insert(shard) }
      return isOpen.load(ordering: .relaxed)
    }
    defer { job.stop() }
    job.start(everySeconds: 1)
    func snapshots(of row: ExperimentRow) throws -> Int {
      try stores.count(
        "SELECT count(*) FROM analysis_snapshots WHERE experiment_id = $1", .id(row.id))
    }
    try await stores.waitUntil("SELECT count(*) FROM analysis_snapshots")
    try #expect(snapshots(of: overdue) == 1)
    try #expect(snapshots(of: recent) == 0)
    #expect(asked.withLock { $0 } == [shard])
    isOpen.store(true, ordering: .relaxed)
    try await stores.waitUntil("SELECT (count(*) = 2)::int FROM analysis_snapshots")
    try #expect(snapshots(of: recent) == 1)
  }

  /// As a process stamps it whose clock is ahead of PostgreSQL's.
  @Test("an event received ahead of a snapshot's time counts in a later one")
  func ahead() async throws {
    let stores = try StorageTesting.shared()
    let session = try stores.session()
    let row = ExperimentRow { $0.metricEvents = ["primary"] }
    try row.insert(in: session)
    let insert = Statement(
      name: "ahead",
      sql: """
        WITH exposed AS (
          INSERT INTO exposure_events (id, experiment_id, unit_id, generation, variant_id, exposed_at)
          VALUES (gen_random_uuid(), $1, 'unit', 1, $2, now() - interval '1 hour'))
        INSERT INTO events (event_id, environment_id, event_key, unit_id, occurred_at, late)
        VALUES (ulid_floor(clock_timestamp() + interval '3 seconds'), $3, 'primary', 'unit',
          now() - interval '1 minute', false)
        """)
    try session.execute(
      insert, [.id(row.id), .id(row.variants[0].id), .id(row.environment)])
    let job = try AnalysisJob.on(stores)
    defer { job.stop() }
    func conversions() async throws -> Int? {
      let snapshot = try JSONValue(parsing: await job.compute(row.id, peek: .sample(row)))
      return snapshot["per_variant"]?.elements.first { _ in true }?["conversions"]?.integer
    }
    try await eventually("the event counts") { try await conversions() == 1 }
    #expect(try await conversions() == 1)
  }

  /// Each would refuse or hold up the others if peeks and reading were one transaction.
  @Test(
    "two processes are asked at once while the experiment changes: all succeed, all peeks count")
  func peeks() async throws {
    let stores = try StorageTesting.shared()
    let row = ExperimentRow { $0.metricEvents = ["primary"] }
    try row.insert(in: stores.session())
    let jobs = [try AnalysisJob.on(stores), try AnalysisJob.on(stores)]
    defer { for job in jobs { job.stop() } }
    try await withThrowingTaskGroup { group in
      for job in jobs {
        group.addTask {
          for _ in 0..<10 { _ = try await job.compute(row.id, peek: .sample(row)) }
        }
      }
      group.addTask {
        let session = try stores.session()
        let rename = Statement(
          name: "rename", sql: "UPDATE experiments SET version = version + 1 WHERE id = $1")
        for _ in 0..<50 { _ = try session.execute(rename, [.id(row.id)]) }
      }
      try await group.waitForAll()
    }
    try #expect(stores.count("SELECT peek_count FROM experiments WHERE id = $1", .id(row.id)) == 20)
    try #expect(
      stores.count(
        "SELECT count(*) FROM audit_log WHERE target_id = $1 AND action = 'experiment.peeked'",
        .text(row.id.text)) == 20)
    let last = try JSONValue(parsing: await jobs[0].compute(row.id, peek: .sample(row)))
    #expect(last["peek_count_at_computation"]?.integer == 21)
    #expect(last["on_demand"]?.bool == true)
    try #expect(
      stores.count(
        "SELECT count(*) FROM analysis_snapshots WHERE experiment_id = $1", .id(row.id)) == 21)
  }

  @Test("the sequential p is the least of all snapshots, in whichever order they were stored")
  func latch() async throws {
    let stores = try StorageTesting.shared()
    let row = ExperimentRow { $0.metricEvents = ["primary"] }
    try row.insert(in: stores.session())
    let now = ServerClock.processTime()
    try Self.addSnapshot(of: row, at: now.adding(seconds: -60), leastP: 0.0004, in: stores)
    try Self.addSnapshot(of: row, at: now.adding(seconds: -50), leastP: 0.5, in: stores)
    let job = try AnalysisJob.on(stores)
    defer { job.stop() }
    let snapshot = try JSONValue(parsing: await job.compute(row.id, peek: .sample(row)))
    #expect(snapshot["srm"]?["sequential_p"]?.double == 0.0004)
    #expect(snapshot["srm_warning"]?.bool == true)
  }

  @Test("without a metric there are counts and the sample ratio; without units too")
  func bare() async throws {
    let stores = try StorageTesting.shared()
    let row = ExperimentRow()
    try row.insert(in: stores.session())
    let job = try AnalysisJob.on(stores)
    defer { job.stop() }
    let snapshot = try JSONValue(parsing: await job.compute(row.id, peek: .sample(row)))
    #expect(snapshot["per_variant"]?.elements.compactMap { $0["sample_size"]?.integer } == [0, 0])
    #expect(snapshot["metrics"]?.elements.isEmpty == true)
    #expect(snapshot["decision_rule_satisfied"]?.bool == false)
  }

  @Test("an experiment that does not exist is an error, and the job goes on")
  func gone() async throws {
    let stores = try StorageTesting.shared()
    let row = ExperimentRow()
    let job = try AnalysisJob.on(stores)
    defer { job.stop() }
    await #expect(throws: StorageError.self) { try await job.compute(row.id, peek: .sample(row)) }
    try row.insert(in: stores.session())
    _ = try await job.compute(row.id, peek: .sample(row))
  }
}
