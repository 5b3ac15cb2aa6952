@testable import SplitstreamServer

/// The PostgreSQL database and the Redis database of one server.
struct TestStores: Sendable {
  let postgresURL: String
  let redisURL: String
  let pepper: Pepper

  /// - Parameter redisURL: nil for a database of the shared Redis that nobody else uses.
  static func make(redisURL: String? = nil) throws -> TestStores {
    TestStores(
      postgresURL: try TestServers.shared.postgresURL(database: "api"),
      redisURL: redisURL ?? TestServers.shared.redisDatabaseURL(),
      pepper: try Pepper(Pepper.random()))
  }

  func configuration(_ configure: (inout Configuration) -> Void = { _ in }) -> Configuration {
    var configuration = Configuration()
    configuration.server.port = 0
    configuration.server.loops = 2
    configuration.postgres.url = postgresURL
    configuration.redis.url = redisURL
    configuration.security.pepper = pepper
    // A machine that runs all tests at once may be slow; being late is no failure here.
    configuration.postgres.timeoutSeconds = 20
    configuration.redis.timeoutSeconds = 20
    configuration.events.drainIntervalMilliseconds = 60_000
    configuration.analysis.tickSeconds = 3600
    // Longer than the lease of a chunk whose drain was held up.
    configuration.analysis.onDemandWaitSeconds = 90
    configuration.assignments.cacheBytesMax = 1 << 20
    configure(&configuration)
    return configuration
  }

  func session() throws -> PostgresSession {
    try PostgresSession.patient(to: postgresURL, applicationName: "api tests")
  }

  func migrate() throws {
    let session = try session()
    defer { session.close() }
    _ = try Migrator(session: session).apply(Schema.migrations)
  }

  /// Lets nobody connect any more and ends all connections, or lets them connect again.
  func setConnectable(_ isConnectable: Bool, endsSessions: Bool = true) throws {
    let name = postgresURL.split(separator: "/").last ?? ""
    let server = TestServers.shared.postgres
    let session = try PostgresSession.patient(
      to: server.url("postgres"), applicationName: "api tests")
    defer { session.close() }
    try session.script("ALTER DATABASE \"\(name)\" ALLOW_CONNECTIONS \(isConnectable)")
    if !isConnectable && endsSessions {
      try session.script(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
    }
  }

  /// What the first column of a query's rows says; the query sees `values` as $1, $2, …
  func texts(_ sql: String, _ values: PostgresValue...) throws -> [String] {
    let session = try session()
    defer { session.close() }
    return try session.rows(Statement(name: "test", sql: sql), values) {
      row throws(PostgresError) in
      try row.text(0)
    }
  }
}

/// A workspace with its environments and keys.
struct TestTenant: Sendable {
  let workspace: ULID
  /// Ids by slug.
  let environments: [String: String]
  /// A server key of the whole workspace.
  let key: String
  /// Server and client keys that are bound to the first environment.
  let boundKey: String
  let clientKey: String

  var dev: String { environments["dev"] ?? "" }
  var production: String { environments["production"] ?? "" }
  var only: String { environments["only"] ?? "" }
}

extension TestStores {
  private static let tenants = Counter()

  /// - Parameter sharesShard: the events of all its environments are in one shard; else chance
  ///   decides.
  func makeTenant(environments slugs: [String], sharesShard: Bool = false) throws -> TestTenant {
    let session = try session()
    defer { session.close() }
    let setup = TenantSetup(session: session, pepper: pepper)
    var ids = ULIDGenerator(refill: IDSource.randomWords)
    let slug = "tenant-\(Self.tenants.next())"
    let workspace = try setup.createWorkspace(slug: slug, name: "Tenant", ids: &ids)
    var environments: [String: ULID] = [:]
    for slug in slugs {
      environments[slug] = try setup.createEnvironment(
        slug: slug, name: slug, in: workspace, ids: &ids)
    }
    if sharesShard {
      let share = Statement(
        name: "share", sql: "UPDATE environments SET shard = 7 WHERE workspace_id = $1")
      _ = try session.execute(share, [.id(workspace)])
    }
    let bound = slugs.first.flatMap { slug in environments[slug].map { (id: $0, slug: slug) } }
    func key(_ kind: APIKey.Kind, _ name: String, _ environment: (id: ULID, slug: String)?) throws
      -> String
    {
      let secret = KeySecret(kind: kind, environmentSlug: environment?.slug)
      // Without the slow hash, which no request looks at: it would take more time than all the
      // tests.
      let id = ids.make(at: ServerClock.processTime())
      let stored: [PostgresValue] = [
        .id(id), .id(workspace), .id(environment?.id), .text(kind.rawValue), .text(name),
        .text(secret.prefix), .text(secret.lastFour), .bytes(pepper.hash(secret.text).bytes),
        .text("not computed"),
      ]
      let audit = AuditEntry(
        id: ids.make(at: ServerClock.processTime()),
        actor: Actor(workspaceID: workspace, environmentID: environment?.id, keyID: nil),
        action: "api_key.created", targetType: "api_key", targetID: id,
        payload: AuditPayload.empty)
      _ = try session.execute(TenancyStore.createKey, stored + audit.values)
      return secret.text
    }
    return TestTenant(
      workspace: workspace, environments: environments.mapValues(\.text),
      key: try key(.server, "server", nil), boundKey: try key(.server, "bound", bound),
      clientKey: try key(.client, "client", bound))
  }
}
