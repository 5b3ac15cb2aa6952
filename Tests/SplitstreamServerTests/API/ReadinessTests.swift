import Testing

@testable import SplitstreamServer

/// A process says itself whether it can serve, and finds its stores without being started again.
@Suite struct ReadinessTests {
  @Test("with both stores it is ready, and needs no key to say so")
  func ready() async throws {
    let server = try RunningServer.shared()
    var reply = try await server.call(.readyz, as: .none)
    // The first connection of a loop may still be under way.
    try await eventually("the server is ready") {
      reply = try await server.call(.readyz, as: .none)
      return reply.status == 200
    }
    #expect(reply.text("status") == "ready")
  }

  @Test("without its stores it starts, says what is missing, and recovers by itself")
  func storesComeLater() async throws {
    let postgres = TestPostgres()
    let redis = TestRedis()
    defer {
      postgres.remove()
      redis.remove()
    }
    // The tenant is made while PostgreSQL is there, and both are gone when the server starts.
    postgres.start()
    let stores = TestStores(
      postgresURL: postgres.url("postgres"), redisURL: redis.url,
      pepper: try Pepper(Pepper.random()))
    try stores.migrate()
    let tenant = try stores.makeTenant(environments: ["dev"])
    postgres.kill()
    // Each loop has connections of its own and answers for itself.
    let server = try RunningServer(on: stores, tenant: tenant) { $0.server.loops = 1 }
    defer { server.stop() }

    let reply = try await server.call(.readyz, as: .none)
    #expect(reply.status == 503 && reply.kind == "not-ready")
    #expect(missing(reply) == ["postgresql", "redis", "catalogue"])
    #expect(reply.header("Retry-After") == "1")
    // The key may well be one in force: 503, never 401.
    #expect(try await server.call(.getCurrentWorkspace).status == 503)
    #expect(try await server.call(.healthz, as: .none).status == 200)

    postgres.start()
    while try await missing(server.call(.readyz, as: .none)) != ["redis"] {}
    #expect(try await server.call(.getCurrentWorkspace).status == 200)
    redis.start()
    while try await server.call(.readyz, as: .none).status != 200 {}
  }

  @Test("a process that was told to stop is not ready, and still answers meanwhile")
  func stopping() async throws {
    let server = try RunningServer { $0.server.unreadySeconds = 600 }
    while try await server.call(.readyz, as: .none).status != 200 {}
    // It goes on for ten minutes, unless the process ends before.
    server.stopInBackground()
    try await eventually("it says that it stops, and nothing else") {
      missing(try await server.call(.readyz, as: .none)) == ["stopping"]
    }
    #expect(try await server.call(.getCurrentWorkspace).status == 200)
  }

  private func missing(_ reply: APIReply) -> [String] {
    reply.json["missing"]?.elements.compactMap(\.string) ?? []
  }
}
