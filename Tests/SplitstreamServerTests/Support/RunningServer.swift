import Dispatch
import Logging
import Synchronization
import Testing

@testable import SplitstreamServer

/// The whole server in the test process: loops, jobs, a database and a Redis that nobody else uses, two tenants.
///
/// `call` holds every answer against openapi.json, so that no test has to ask for it.
final class RunningServer: Sendable {
  let stores: TestStores
  /// Whose keys most tests use: environments `dev` and `production`.
  let tenant: TestTenant
  /// Another workspace, with the one environment `only`.
  let stranger: TestTenant
  private let server: Server
  private let names = Counter()

  /// The one that most suites share: its events reach PostgreSQL when a snapshot asks for them, and no scheduled
  /// snapshot comes in between.
  static func shared() throws -> RunningServer { try sharedResult.get() }
  private static let sharedResult = Result { try RunningServer() }

  init(_ stores: TestStores? = nil, _ configure: (inout Configuration) -> Void = { _ in }) throws {
    let stores = try stores ?? TestStores.make()
    try stores.migrate()
    self.stores = stores
    tenant = try stores.makeTenant(environments: ["dev", "production"])
    stranger = try stores.makeTenant(environments: ["only"])
    server = try Server(
      stores.configuration(configure), log: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
    )
  }

  /// Another process's server, as far as the stores can tell.
  static func sharing(_ other: RunningServer) throws -> RunningServer {
    try RunningServer(other.stores)
  }

  func stop() { server.stop() }

  var port: Int { server.port }

  /// A name that no other test has.
  func newName(_ prefix: String = "name") -> String { "\(prefix)-\(names.next())" }
}

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
    configuration.events.drainIntervalMilliseconds = 60_000
    configuration.analysis.tickSeconds = 3600
    configuration.assignments.cacheBytesMax = 1 << 20
    configure(&configuration)
    return configuration
  }

  func session() throws -> PostgresSession {
    try PostgresSession(to: PostgresAddress(parsing: postgresURL), applicationName: "api tests")
  }

  func migrate() throws {
    let session = try session()
    defer { session.close() }
    _ = try Migrator(session: session).apply(Schema.migrations)
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

  func makeTenant(environments slugs: [String]) throws -> TestTenant {
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
    let bound = slugs.first.flatMap { slug in environments[slug].map { (id: $0, slug: slug) } }
    return TestTenant(
      workspace: workspace, environments: environments.mapValues(\.text),
      key: try setup.createKey(.server, name: "server", in: workspace, environment: nil, ids: &ids)
        .text,
      boundKey: try setup.createKey(
        .server, name: "bound", in: workspace, environment: bound, ids: &ids
      ).text,
      clientKey: try setup.createKey(
        .client, name: "client", in: workspace, environment: bound, ids: &ids
      ).text)
  }
}
