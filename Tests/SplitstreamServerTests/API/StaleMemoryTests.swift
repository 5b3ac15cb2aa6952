import Testing

@testable import SplitstreamServer

/// What a process remembers counts only as long as it hears what others change.
@Suite struct StaleMemoryTests {
  /// A server on its own database, and a session that stays open when nobody may connect any more.
  private struct World {
    let server: RunningServer
    let session: PostgresSession
    let experiment: TestExperiment

    init(
      on stores: TestStores? = nil,
      _ configure: @escaping (inout Configuration) -> Void = { _ in }
    ) async throws {
      let server = try RunningServer(stores) {
        $0.server.loops = 1
        configure(&$0)
      }
      try await eventually("the server is ready") {
        try await server.call(.readyz, as: .none).status == 200
      }
      self.server = server
      session = try server.stores.session()
      experiment = try await server.running()
    }

    func assign(_ unit: String, _ members: String = "") async throws -> APIReply {
      try await server.assign(unit, to: experiment, members)
    }

    func run(_ sql: String) throws {
      _ = try session.execute(Statement(name: sql, sql: sql), [])
    }

    func count(_ table: String) throws -> Int {
      let sql = "SELECT count(*) FROM \(table)"
      return try session.rows(Statement(name: sql, sql: sql), []) { row throws(PostgresError) in
        try row.int(0)
      }[0]
    }
  }

  @Test("who no longer hears of changes asks PostgreSQL, and says that it is not ready")
  func listenerLost() async throws {
    let world = try await World()
    defer { world.server.stop() }
    let before = try await world.assign("unit")
    #expect(try await world.assign("unit").body == before.body)
    // The loops keep their connections; the one that listens ends and cannot come back.
    try world.server.stores.setConnectable(false, endsSessions: false)
    try world.run(
      """
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'splitstream catalogue'
      """)
    // Nobody is told of this.
    try world.run("UPDATE assignments SET variant_id = NULL, generation = 2")
    try await eventually("the unit is hashed anew") {
      try await world.assign("unit").text("assignment_id") != before.text("assignment_id")
    }
    let after = try await world.assign("unit")
    #expect(try await world.assign("new").status == 200)
    try await eventually("it is not ready") {
      try await world.server.call(.readyz, as: .none).status == 503
    }
    #expect(try await world.assign("unit").body == after.body)
    try world.server.stores.setConnectable(true)
    try await eventually("it is ready again") {
      try await world.server.call(.readyz, as: .none).status == 200
    }
    #expect(try await world.assign("unit").body == after.body)
    #expect(try world.count("exposure_events") == 3)
  }

  @Test("while PostgreSQL is away known units are answered and new ones are a 503; nothing is half")
  func away() async throws {
    let world = try await World()
    defer { world.server.stop() }
    let known = try await world.assign("known")
    let quiet = try await world.assign("quiet", #""log_exposure":false,"#)
    try world.server.stores.setConnectable(false)
    try await eventually("it is not ready") {
      let reply = try await world.server.call(.readyz, as: .none)
      return reply.json["missing"]?.elements.contains { $0.string == "postgresql" } == true
    }
    #expect(try await world.assign("known").body == known.body)
    #expect(try await world.assign("quiet").body == quiet.body)
    let new = try await world.assign("new")
    #expect(new.status == 503)
    #expect(new.header("Retry-After") != nil)
    let batch = try await world.server.call(
      .assignBatch,
      body: #"{"experiments":["\#(world.experiment.key)"],"unit_id":"known"}"#)
    #expect(batch.json["assignments"]?[member: world.experiment.key]?.source == known.body[...])
    try world.server.stores.setConnectable(true)
    try await eventually("it is ready again") {
      try await world.server.call(.readyz, as: .none).status == 200
    }
    #expect(try await world.assign("known").body == known.body)
    #expect(try await world.assign("new").status == 200)
    let stored = try world.server.stores.texts(
      """
      SELECT unit_id || ' ' || (SELECT count(*) FROM exposure_events x WHERE x.unit_id = a.unit_id)
      FROM assignments a ORDER BY 1
      """)
    #expect(stored == ["known 1", "new 1", "quiet 0"])
  }

  @Test(
    "a PostgreSQL that stands still delays known units for a bounded time, and is a 503 for new ones"
  )
  func frozen() async throws {
    let postgres = TestPostgres()
    defer { postgres.remove() }
    postgres.start()
    let stores = TestStores(
      postgresURL: postgres.url("postgres"), redisURL: TestServers.shared.redisDatabaseURL(),
      pepper: try Pepper(Pepper.random()))
    let world = try await World(on: stores) { $0.postgres.timeoutSeconds = 8 }
    defer { world.server.stop() }
    let known = try await world.assign("known")
    postgres.pause()
    let (server, experiment) = (world.server, world.experiment)
    // Before, memory would be trusted without a question.
    try await eventually("it is not ready") {
      try await server.call(.readyz, as: .none).status == 503
    }
    let asked = try await concurrently(16) { index in
      try await server.assign(index % 4 == 3 ? "new-\(index)" : "known", to: experiment)
    }
    for (index, reply) in asked.enumerated() {
      if index % 4 == 3 {
        #expect(reply.status == 503)
        #expect(reply.header("Retry-After") != nil)
      } else {
        #expect(reply.body == known.body)
      }
    }
    #expect(try await world.assign("known").body == known.body)
    postgres.resume()
    try await eventually("it is ready again") {
      try await world.server.call(.readyz, as: .none).status == 200
    }
    #expect(try await world.assign("known").body == known.body)
    for index in [3, 7, 11, 15] {
      try await eventually("new-\(index) is assigned") {
        try await world.assign("new-\(index)").status == 200
      }
    }
    #expect(try world.count("exposure_events") == 5)
  }

  @Test("known units are answered for so long only")
  func tooStale() async throws {
    let world = try await World { $0.assignments.staleSecondsMax = 0 }
    defer { world.server.stop() }
    let known = try await world.assign("known")
    try world.server.stores.setConnectable(false)
    try await eventually("what is known is too old") {
      let reply = try await world.assign("known")
      #expect(reply.status == 503 || reply.body == known.body)
      return reply.status == 503 && reply.header("Retry-After") != nil
    }
    try world.server.stores.setConnectable(true)
    try await eventually("it is known again") {
      try await world.assign("known").body == known.body
    }
  }

  @Test("an exposure logged through another process is in the answers of this one soon")
  func exposedElsewhere() async throws {
    let one = try RunningServer()
    let other = try RunningServer(one.stores)
    defer {
      one.stop()
      other.stop()
    }
    let key = TestCredential.key(one.tenant.clientKey)
    let experiment = try await one.running()
    let quiet = #""log_exposure":false,"#
    let unexposed = try await one.assign("unit", to: experiment, quiet, as: key)
    #expect(unexposed.json["exposure_logged_at"]?.isNull == true)
    let variant = try #require(unexposed.text("variant"))
    let exposure =
      #"{"experiment_key":"\#(experiment.key)","unit_id":"unit","variant":"\#(variant)"}"#
    try await eventually("the other process knows the experiment") {
      try await other.call(.logExposure, as: key, body: exposure).status == 202
    }
    try await eventually("the answer has the exposure") {
      try await one.assign("unit", to: experiment, quiet, as: key).text("exposure_logged_at") != nil
    }
  }
}
