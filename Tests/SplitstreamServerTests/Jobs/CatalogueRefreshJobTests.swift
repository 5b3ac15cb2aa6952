import Logging
import Synchronization
import Testing

@testable import SplitstreamServer

/// The catalogue of a process follows the database: what others change is known within a second.
@Suite struct CatalogueRefreshJobTests {
  /// A database of its own, a job on it, and what the job has published last.
  private final class World: Sendable {
    let stores: StorageTesting
    let job: CatalogueRefreshJob
    let heartbeat = Heartbeat()
    let pepper: Pepper
    private let published: Published

    private final class Published: Sendable {
      let last = Mutex((catalogue: Catalogue(), time: ContinuousClock.now))
    }

    init() throws {
      stores = try StorageTesting.separate()
      pepper = try Pepper(Pepper.random())
      let published = Published()
      self.published = published
      job = CatalogueRefreshJob(
        postgres: try PostgresAddress(parsing: stores.postgresURL), clock: ServerClock(),
        assignments: AssignmentCache(bytesMax: 1 << 16), heartbeat: heartbeat, log: .silent
      ) { catalogue in published.last.withLock { $0 = (catalogue, ContinuousClock.now) } }
    }

    deinit { job.stop() }

    var catalogue: Catalogue { published.last.withLock { $0.catalogue } }

    var publishedAt: ContinuousClock.Instant { published.last.withLock { $0.time } }

    func waitUntil(_ what: String, _ isTrue: @escaping @Sendable (Catalogue) -> Bool) async throws {
      try await onThread { TestProcess.waitUntil(what) { isTrue(self.catalogue) } }
    }

    /// A workspace with an environment and a key, made by another session than the job's.
    func tenant() throws -> (workspace: ULID, environment: ULID, key: KeyHash) {
      let setup = TenantSetup(session: try stores.session(), pepper: pepper)
      var ids = ULIDGenerator(refill: IDSource.randomWords)
      let workspace = try setup.createWorkspace(slug: "w", name: "W", ids: &ids)
      let environment = try setup.createEnvironment(
        slug: "dev", name: "D", in: workspace, ids: &ids)
      let secret = try setup.createKey(
        .server, name: "k", in: workspace, environment: nil, ids: &ids)
      return (workspace, environment, pepper.hash(secret.text))
    }

    func addEnvironment(_ slug: String, to workspace: ULID) throws {
      let sql = """
        INSERT INTO environments (id, workspace_id, slug, name, shard) VALUES ($1, $2, $3, '', 1)
        """
      try execute(sql, .id(.new()), .id(workspace), .text(slug))
    }

    func execute(_ sql: String, _ values: PostgresValue...) throws {
      _ = try stores.session().execute(Statement(name: "test", sql: sql), values)
    }
  }

  @Test("the first read comes with the start; later changes by themselves")
  func changes() async throws {
    let world = try World()
    let before = try world.tenant()
    try world.job.start()
    #expect(world.catalogue.environment(before.environment) != nil)
    #expect(world.catalogue.key(before.key, at: ServerClock.processTime())?.kind == .server)
    try world.addEnvironment("new", to: before.workspace)
    try await world.waitUntil("the new environment is known") {
      $0.environment(slug: "new", in: before.workspace) != nil
    }
    try world.execute("UPDATE api_keys SET revoked_at = now()")
    try await world.waitUntil("the revoked key is gone") {
      $0.key(before.key, at: ServerClock.processTime()) == nil
    }
  }

  /// What the product promises. The machine may be busy, so that it is tried again; each change is
  /// made when the last one has just been heard, so that every one waits for a whole beat. The time
  /// is taken where the catalogue is published: the threads of tests may see it seconds later.
  @Test("a change of another process is heard within a second, a removal too")
  func withinASecond() async throws {
    let world = try World()
    let workspace = try world.tenant().workspace
    try world.job.start()
    func time(_ isKnown: Bool, _ change: () throws -> Void) async throws -> Duration {
      try change()
      let committed = ContinuousClock.now
      try await world.waitUntil("the change is heard") {
        ($0.environment(slug: "new", in: workspace) != nil) == isKnown
      }
      return world.publishedAt - committed
    }
    var (made, removed) = (Duration.seconds(90), Duration.seconds(90))
    // Who hears nothing learns of it by the comparison after half a minute.
    let end = ContinuousClock.now + .seconds(60)
    while max(made, removed) >= .seconds(1) && ContinuousClock.now < end {
      made = min(made, try await time(true) { try world.addEnvironment("new", to: workspace) })
      removed = min(
        removed,
        try await time(false) {
          try world.execute("DELETE FROM environments WHERE slug = 'new'")
        }
      )
    }
    #expect(made < .seconds(1))
    #expect(removed < .seconds(1))
  }

  @Test("an experiment is known from its start to its stop, with its newest weights")
  func experiments() async throws {
    let world = try World()
    let tenant = try world.tenant()
    try world.job.start()
    let sample = ExperimentRow(workspace: tenant.workspace, environment: tenant.environment)
    try sample.insert(in: world.stores.session())
    let key = ExperimentKey(sample.key)
    try await world.waitUntil("it runs") { $0.running(key, in: tenant.environment)?.epoch == 1 }
    try sample.addEpoch(2, weights: [10, 90], in: world.stores.session())
    try world.execute("UPDATE experiments SET version = version + 1")
    try await world.waitUntil("its weights have changed") {
      $0.running(key, in: tenant.environment)?.allocation.weights == [10, 90]
    }
    try world.execute("UPDATE experiments SET status = 'stopped', version = version + 1")
    try await world.waitUntil("it has stopped") { $0.running(key, in: tenant.environment) == nil }
  }

  @Test("a change of this process is there when apply returns")
  func applied() async throws {
    let world = try World()
    let tenant = try world.tenant()
    try world.job.start()
    let sample = ExperimentRow(workspace: tenant.workspace, environment: tenant.environment)
    try sample.insert(in: world.stores.session())
    await world.job.apply(.experiment(sample.id))
    #expect(
      world.catalogue.running(ExperimentKey(sample.key), in: tenant.environment)?.id == sample.id)
  }

  @Test("a listening connection that was ended is replaced, and what happened meanwhile is read")
  func connectionEnded() async throws {
    let world = try World()
    let tenant = try world.tenant()
    try world.job.start()
    let terminate = """
      SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'splitstream catalogue'
      """
    for round in 0..<2 {
      try await eventually("the session that listens is ended") {
        try world.stores.texts(terminate).contains("true")
      }
      let slug = "round-\(round)"
      try world.addEnvironment(slug, to: tenant.workspace)
      try await world.waitUntil("the environment of round \(round)") {
        $0.environment(slug: slug, in: tenant.workspace) != nil
      }
    }
  }

  @Test("without PostgreSQL the start says so, no heart beats, and stopping is possible")
  func absent() throws {
    let heartbeat = Heartbeat()
    let job = CatalogueRefreshJob(
      postgres: try PostgresAddress(parsing: "postgres://x@%2Ftmp%2Fnowhere/y"),
      clock: ServerClock(), assignments: AssignmentCache(bytesMax: 1 << 16),
      heartbeat: heartbeat, log: .silent
    ) { _ in Issue.record("nothing can be published") }
    #expect(throws: StorageError.self) { try job.start() }
    job.stop()
    #expect(heartbeat.age(at: Heartbeat.now()) == .max)
  }

  @Test("the heart beats while PostgreSQL is heard, from the start on")
  func heartbeat() async throws {
    let world = try World()
    let before = Heartbeat.now()
    try world.job.start()
    #expect(world.heartbeat.age(at: before) == 0)
    let later = Heartbeat.now()
    try await eventually("another beat") { world.heartbeat.age(at: later) == 0 }
  }
}
