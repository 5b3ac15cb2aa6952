import Testing

@testable import SplitstreamServer

/// A unit that was erased is nowhere, and its data does not come back by a late event.
@Suite struct EraseUnitTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func erase(_ unit: String, from environment: String = "dev") async throws -> Int {
    try await server.call(
      .eraseUnit, unit, headers: ["Splitstream-Environment: \(environment)"]
    ).status
  }

  private func track(_ unit: String, _ eventKey: String, in environment: String = "dev")
    async throws
  {
    let reply = try await server.call(
      .trackEvent, body: #"{"event_key":"\#(eventKey)","unit_id":"\#(unit)"}"#,
      headers: ["Splitstream-Environment: \(environment)"])
    #expect(reply.status == 202)
  }

  /// The tables that have a row of this unit.
  private func tables(naming unit: String) throws -> [String] {
    let named = try server.stores.texts(
      """
      SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relkind = 'r' AND a.attname = 'unit_id' AND NOT a.attisdropped ORDER BY 1
      """)
    return try named.filter { table in
      try server.stores.texts(
        "SELECT count(*)::text FROM \(table) WHERE unit_id = $1", .text(unit)) != ["0"]
    }
  }

  @Test("whatever table a unit is in, it is in none any more; others stay")
  func everywhere() async throws {
    let (metric, eventKey) = try await server.metric()
    let group = try await server.call(
      .createMutexGroup, body: #"{"key":"\#(server.newName("group"))","name":"G"}"#)
    let members =
      #""primary_metric_id":"\#(metric)","mutex_group_id":"\#(try #require(group.text("id")))","#
    let experiment = try await server.running(members)
    let forced = try await server.running()
    let (unit, other) = (server.newName("erased"), server.newName("erased"))
    for unit in [unit, other] {
      #expect(try await server.assign(unit, to: experiment).status == 200)
      let override = try await server.call(
        .putOverride, forced.id, unit, body: #"{"variant":"control"}"#)
      #expect(override.status == 200)
      #expect(try await server.assign(unit, to: forced).status == 200)
      try await track(unit, eventKey)
      try await track(unit, eventKey, in: "production")
    }
    try await server.snapshot(of: experiment)
    #expect(try tables(naming: unit).count > 4)
    try await track(unit, eventKey)

    #expect(try await erase(unit) == 202)
    try await eventually("the events are erased") {
      try server.stores.texts(
        "SELECT 1::text FROM events WHERE unit_id = $1 AND environment_id = $2", .text(unit),
        .id(ULID(server.tenant.dev))
      ).isEmpty
    }
    // The drain comes to what was buffered, and the analysis to what it keeps of units.
    let after = try await server.snapshot(of: experiment)
    let sizes = after.json["per_variant"]?.elements.compactMap { $0["sample_size"]?.integer }
    #expect(sizes?.reduce(0, +) == 1)
    #expect(try await erase(unit, from: "production") == 202)
    try await eventually("nothing names the unit") { try tables(naming: unit).isEmpty }
    #expect(try tables(naming: other).count > 4)
  }

  @Test("the audit log has one entry for it, without the unit's name")
  func audit() async throws {
    let unit = server.newName("erased")
    #expect(try await erase(unit) == 202)
    let reply = try await server.call(
      .listAudit, query: "action=unit.erased&target_id=\(server.tenant.dev)&limit=200")
    let hash = SHA256.hash(Array(unit.utf8)).hex
    let lines = reply.json["data"]?.elements.filter {
      $0["payload"]?["unit_sha256"]?.string == hash
    }
    #expect(lines?.count == 1)
    #expect(!String(decoding: reply.body, as: UTF8.self).contains(unit))
  }

  @Test("a unit that comes again is new, in every process")
  func again() async throws {
    let second = try RunningServer.sharing(server)
    defer { second.stop() }
    let experiment = try await server.running()
    let unit = server.newName("erased")
    let first = try await server.assign(unit, to: experiment)
    let body = #"{"experiment_key":"\#(experiment.key)","unit_id":"\#(unit)"}"#
    let client = TestCredential.key(server.tenant.clientKey)
    try await eventually("the other process knows the experiment") {
      try await second.call(.assign, as: client, body: body).body == first.body
    }
    #expect(try await erase(unit) == 202)
    let next = try await server.assign(unit, to: experiment)
    #expect(next.text("assignment_id") != first.text("assignment_id"))
    try await eventually("the other process forgets") {
      try await second.call(.assign, as: client, body: body).body == next.body
    }
  }

  @Test("a unit that nobody knows is erased like any other; one that is none is refused")
  func unknown() async throws {
    #expect(try await erase(server.newName("erased")) == 202)
    #expect(try await erase("%00") != 202)
  }
}
