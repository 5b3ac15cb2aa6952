import Dispatch
import Logging
import Testing

@testable import SplitstreamServer

/// The whole server in the test process: loops, jobs, a database and a Redis that nobody else uses,
/// two tenants.
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

  /// The one that most suites share: its events reach PostgreSQL when a snapshot asks for them, and
  /// no scheduled snapshot comes in between.
  static func shared() throws -> RunningServer { try sharedResult.get() }
  private static let sharedResult = Result { try RunningServer() }

  init(_ stores: TestStores? = nil, _ configure: (inout Configuration) -> Void = { _ in }) throws {
    let stores = try stores ?? TestStores.make()
    try stores.migrate()
    self.stores = stores
    tenant = try stores.makeTenant(environments: ["dev", "production"])
    stranger = try stores.makeTenant(environments: ["only"])
    server = try Server(stores.configuration(configure), log: .silent)
  }

  /// On stores that may not be there yet; the tenant was made when they were.
  init(
    on stores: TestStores, tenant: TestTenant, _ configure: (inout Configuration) -> Void = { _ in }
  ) throws {
    self.stores = stores
    self.tenant = tenant
    stranger = tenant
    server = try Server(
      stores.configuration(configure), log: Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }
    )
  }

  /// Another process's server, as far as the stores can tell.
  static func sharing(_ other: RunningServer) throws -> RunningServer {
    try RunningServer(other.stores)
  }

  func stop() { server.stop() }

  /// Begins to stop and does not wait for the end.
  func stopInBackground() {
    DispatchQueue.global().async { [server] in server.stop() }
  }

  var port: Int { server.port }

  /// A workspace of a test's own, made by another process as far as the server can tell.
  func newTenant(
    environments: [String] = ["only"], sharesShard: Bool = false
  ) async throws -> TestTenant {
    let tenant = try stores.makeTenant(environments: environments, sharesShard: sharesShard)
    // The key that was made last: the server hears of changes in their order.
    try await everywhere("the server knows the tenant") {
      try await call(.trackEvent, as: .key(tenant.clientKey), body: "{}").status == 422
    }
    return tenant
  }

  /// A name that no other test has.
  func newName(_ prefix: String = "name") -> String { "\(prefix)-\(names.next())" }
}

extension Logger {
  /// What the server has to say is of no interest.
  static var silent: Logger { Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() } }
}
