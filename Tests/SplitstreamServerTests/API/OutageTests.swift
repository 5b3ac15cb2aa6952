import Testing

@testable import SplitstreamServer

/// A store that is away or full: what was accepted stays accepted, what was not is told so, and
/// nothing is counted twice.
@Suite struct OutageTests {
  private func event(_ id: String) -> String {
    #"{"event_key":"e","unit_id":"u","client_event_id":"\#(id)"}"#
  }

  private func track(_ server: RunningServer, _ id: String) async throws -> APIReply {
    try await server.call(.trackEvent, as: .key(server.tenant.clientKey), body: event(id))
  }

  private func batch(_ server: RunningServer, _ ids: [String]) async throws -> APIReply {
    let body = #"{"events":[\#(ids.map(event).joined(separator: ","))]}"#
    return try await server.call(.trackEventBatch, as: .key(server.tenant.clientKey), body: body)
  }

  private func storedIDs(_ server: RunningServer) throws -> [String] {
    try server.stores.texts("SELECT client_event_id FROM events ORDER BY 1")
  }

  @Test("a full backlog is a 429 that burns no id; what fits, and what is a replay, is accepted")
  func backlog() async throws {
    let server = try RunningServer { configuration in
      configuration.events.backlogMax = 10
      // Only a snapshot drains here, however long the test waits for its turn.
      configuration.events.drainIntervalMilliseconds = 3_600_000
    }
    defer { server.stop() }
    let experiment = try await server.running()
    let first = try await batch(server, (0..<8).map { "a\($0)" })
    #expect(first.json["accepted_count"]?.integer == 8)

    let refused = try await batch(server, ["b0", "b1", "b2"])
    #expect(refused.status == 429)
    #expect(refused.header("Retry-After").flatMap { Int($0) } != nil)
    #expect(try await batch(server, ["b0", "b1", "a1", "b0"]).json["replayed_count"]?.integer == 2)
    #expect(try await track(server, "b2").status == 429)
    #expect(try await track(server, "b1").json["idempotent_replay"]?.bool == true)

    try await server.snapshot(of: experiment)
    #expect(try await track(server, "b2").json["idempotent_replay"]?.bool == false)
    #expect(try await batch(server, (0..<9).map { "c\($0)" }).status == 202)
    #expect(try await track(server, "d").status == 429)
    try await server.snapshot(of: experiment)
    #expect(try storedIDs(server).count == 8 + 2 + 1 + 9)
  }

  @Test("without Redis events are a 503 and all else goes on; afterwards each event counts once")
  func redis() async throws {
    let redis = TestRedis()
    redis.start()
    defer { redis.remove() }
    let server = try RunningServer(TestStores.make(redisURL: redis.url)) {
      $0.redis.timeoutSeconds = 1
    }
    defer { server.stop() }
    let experiment = try await server.running()
    // Two stores on a slow machine may take longer than the one second; a repeat counts once.
    try await eventually("the first event is accepted") {
      try await track(server, "before").status == 202
    }

    redis.pause()
    let unknown = try await track(server, "paused")
    #expect(unknown.status == 503)
    #expect(unknown.header("Retry-After").flatMap { Int($0) } != nil)
    #expect(try await server.assign("new", to: experiment).status == 200)
    redis.resume()
    try await eventually("events are accepted again") {
      try await track(server, "paused").status == 202
    }

    redis.kill()
    #expect(try await track(server, "killed").status == 503)
    #expect(try await batch(server, ["killed"]).status == 503)
    #expect(try await server.call(.computeSnapshot, experiment.id).status == 503)
    #expect(try await server.call(.getExperiment, experiment.id).status == 200)
    redis.start()
    try await eventually("events are accepted again") {
      try await track(server, "killed").status == 202
    }
    // Each loop has a connection of its own, and each comes back in its time.
    try await eventually("what was accepted before is known on every loop") {
      let reply = try await track(server, "before")
      #expect(reply.status == 503 || reply.json["idempotent_replay"]?.bool == true)
      return reply.status == 202
    }
    try await eventually("a snapshot can be made") {
      try await server.call(.computeSnapshot, experiment.id).status == 201
    }
    #expect(try storedIDs(server) == ["before", "killed", "paused"])
  }

  @Test(
    "without PostgreSQL events and known units go on, the rest is a 503, and all comes back by itself"
  )
  func postgres() async throws {
    let server = try RunningServer()
    defer { server.stop() }
    let experiment = try await server.running()
    let known = try await server.assign("known", to: experiment)
    try server.stores.setConnectable(false)
    try await eventually("PostgreSQL is away") {
      try await server.call(.getExperiment, experiment.id).status == 503
    }
    for id in ["a", "b", "a"] { #expect(try await track(server, id).status == 202) }
    #expect(try await server.assign("known", to: experiment).body == known.body)
    for reply in [
      try await server.assign("new", to: experiment), try await server.call(.listMetrics),
      try await server.call(.startExperiment, experiment.id),
      try await server.call(.createExperiment, body: server.experimentBody("away")),
    ] {
      #expect(reply.status == 503)
      #expect(reply.header("Retry-After") != nil)
      #expect(reply.text("detail")?.contains("PostgreSQL") == false)
    }
    try server.stores.setConnectable(true)
    try await eventually("it is back") {
      try await server.assign("new", to: experiment).status == 200
    }
    try await eventually("a snapshot can be made") {
      try await server.call(.computeSnapshot, experiment.id).status == 201
    }
    #expect(try storedIDs(server) == ["a", "b"])
  }

  @Test("a fault of ours is a 500 that says nothing of the inside, and the connection goes on")
  func fault() async throws {
    let server = try RunningServer()
    defer { server.stop() }
    _ = try server.stores.texts("ALTER TABLE metrics RENAME TO elsewhere")
    for _ in 0..<4 {
      let reply = try await server.call(.listMetrics)
      #expect(reply.status == 500)
      #expect(reply.kind == "internal")
      let text = String(decoding: reply.body, as: UTF8.self)
      for secret in ["relation", "exist", "SELECT", "42P01"] { #expect(!text.contains(secret)) }
    }
    _ = try server.stores.texts("ALTER TABLE elsewhere RENAME TO metrics")
    #expect(try await server.call(.listMetrics).status == 200)
  }

  @Test("a server that starts before its database knows no key: that is a 503, not a 401")
  func startsFirst() async throws {
    let stores = try TestStores.make()
    let server = try Server(stores.configuration(), log: .silent)
    defer { server.stop() }
    let before = try await RunningServer.exchange(
      port: server.port, "GET", "/v1/metrics", ["Authorization: Bearer ss_srv_all_x"])
    #expect(before.status == 503)
    #expect(try await RunningServer.exchange(port: server.port, "GET", "/v1/healthz").status == 200)
    try stores.migrate()
    let key = try stores.makeTenant(environments: ["only"]).key
    try await eventually("the server knows the key") {
      try await RunningServer.exchange(
        port: server.port, "GET", "/v1/metrics", ["Authorization: Bearer \(key)"]
      ).status == 200
    }
  }
}
