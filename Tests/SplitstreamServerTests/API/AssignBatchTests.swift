import Testing

@testable import SplitstreamServer

/// A batch answers what single calls would, and stores no less.
@Suite struct AssignBatchTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func batch(
    _ keys: [String], _ unit: String, _ members: String = "", as credential: TestCredential? = nil
  ) async throws -> APIReply {
    let list = keys.map { "\"\($0)\"" }.joined(separator: ",")
    return try await server.call(
      .assignBatch, as: credential ?? .key(server.tenant.clientKey),
      body: #"{\#(members)"experiments":[\#(list)],"unit_id":"\#(unit)"}"#)
  }

  @Test("each experiment as a single call answers it, the first time and later")
  func sameAsSingle() async throws {
    var experiments: [TestExperiment] = []
    for _ in 0..<4 { experiments.append(try await server.running()) }
    // One is known before, the others are first assigned by the batch.
    _ = try await server.assign("unit", to: experiments[0])
    let first = try await batch(experiments.map(\.key), "unit")
    #expect(first.status == 200)
    #expect(first.json["errors"]?.elements.count == 0)
    #expect(first.json["assignments"]?.members.map(\.key) == experiments.map(\.key))
    for experiment in experiments {
      let single = try await server.assign("unit", to: experiment)
      #expect(first.json["assignments"]?[member: experiment.key]?.source == single.body[...])
    }
    #expect(try await batch(experiments.map(\.key), "unit").body == first.body)
    let counts = try server.stores.texts(
      """
      SELECT count(*) || ' ' || count(x.id) FROM assignments a
      JOIN exposure_events x USING (experiment_id, unit_id, generation, variant_id)
      WHERE experiment_id = ANY ($1::uuid[])
      """, .ids(experiments.compactMap { ULID($0.id) }))
    #expect(counts == ["4 4"])
  }

  @Test("50 new assignments are one transaction; known ones ask PostgreSQL nothing")
  func roundTrips() async throws {
    let server = try RunningServer()
    defer { server.stop() }
    var keys: [String] = []
    for _ in 0..<50 { keys.append(try await server.running().key) }
    let list = keys.map { "\"\($0)\"" }.joined(separator: ",")
    let body = #"{"experiments":[\#(list)],"unit_id":"unit"}"#
    let key = TestCredential.key(server.tenant.clientKey)
    let first = try await server.call(.assignBatch, as: key, body: body)
    #expect(first.json["assignments"]?.members.count == 50)
    let transactions = try server.stores.texts(
      """
      SELECT count(*) || ' ' || count(DISTINCT xmin::text) FROM (
        SELECT xmin FROM assignments UNION ALL SELECT xmin FROM exposure_events) written
      """)
    #expect(transactions == ["100 1"])
    // Whoever reads the table now waits until it is unlocked, or is refused at last.
    let session = try server.stores.session()
    try session.script("BEGIN; LOCK TABLE assignments IN ACCESS EXCLUSIVE MODE")
    // A process that was held up for long does not rely on its memory at once.
    try await eventually("the known are answered") {
      try await server.call(.assignBatch, as: key, body: body).body == first.body
    }
    try session.script("ROLLBACK")
  }

  @Test("what does not run is named, and the others are answered")
  func notRunning() async throws {
    let (running, draft) = (try await server.running(), try await server.draft())
    let elsewhere = try await server.running(in: server.tenant.production)
    let reply = try await batch(
      ["unknown", running.key, draft.key, running.key, elsewhere.key, ""], "unit")
    #expect(reply.status == 200)
    #expect(reply.json["assignments"]?.members.map(\.key) == [running.key])
    #expect(
      reply.json["errors"]?.elements.compactMap { $0["experiment_key"]?.string }
        == ["unknown", draft.key, elsewhere.key, ""])
  }

  @Test("without the exposures there are assignments and no exposures")
  func withoutExposure() async throws {
    let experiment = try await server.running()
    let reply = try await batch([experiment.key], "unit", #""log_exposure":false,"#)
    let answer = reply.json["assignments"]?[member: experiment.key]
    #expect(answer?["variant"]?.string != nil)
    #expect(answer?["exposure_logged_at"]?.isNull == true)
    let exposures = try server.stores.texts(
      "SELECT unit_id FROM exposure_events WHERE experiment_id = $1", .id(ULID(experiment.id)))
    #expect(exposures == [])
  }

  @Test("managed and external experiments in one batch")
  func external() async throws {
    let external = try await server.running(#""assignment_mode":"external","#)
    let managed = try await server.running()
    let reply = try await batch([external.key, managed.key], "unit")
    let answer = reply.json["assignments"]?[member: external.key]
    #expect(answer?["variant"]?.isNull == true)
    #expect(answer?["exclusion"]?.string == "not_reported")
    #expect(reply.json["assignments"]?[member: managed.key]?["variant"]?.string != nil)
  }

  @Test("1 to 50 experiments")
  func limits() async throws {
    let known = try await server.running()
    let fifty = [known.key] + (1..<50).map { "unknown-\($0)" }
    let largest = try await batch(fifty, "unit")
    #expect(largest.status == 200)
    #expect(largest.json["errors"]?.elements.count == 49)
    for keys in [[], fifty + ["one more"]] {
      let reply = try await batch(keys, "unit")
      #expect(reply.status == 422)
      #expect(reply.pointers == ["/experiments"])
    }
  }

  @Test(
    "every wrong field is named",
    arguments: [
      ("{}", ["/experiments", "/unit_id"]),
      (
        #"{"experiments":"a","unit_id":1,"context":[],"log_exposure":1}"#,
        ["/context", "/experiments", "/log_exposure", "/unit_id"]
      ),
      (#"{"experiments":["a",1,null],"unit_id":"u"}"#, ["/experiments/1", "/experiments/2"]),
      (#"{"experiments":null,"unit_id":""}"#, ["/experiments", "/unit_id"]),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    let reply = try await server.call(
      .assignBatch, as: .key(server.tenant.clientKey), body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }

  @Test("a key that is bound to no environment finds each experiment's own, or is told to name one")
  func unbound() async throws {
    let (dev, production) = (
      try await server.running(), try await server.running(in: server.tenant.production)
    )
    let reply = try await batch([dev.key, production.key], "unit", as: .tenant)
    #expect(reply.json["assignments"]?.members.count == 2)
    let named = try await server.call(
      .assignBatch, body: #"{"experiments":["\#(dev.key)","\#(production.key)"],"unit_id":"u"}"#,
      headers: ["Splitstream-Environment: production"])
    #expect(named.json["assignments"]?.members.map(\.key) == [production.key])
    let unknown = try await server.call(
      .assignBatch, body: #"{"experiments":["\#(dev.key)"],"unit_id":"u"}"#,
      headers: ["Splitstream-Environment: nowhere"])
    #expect(unknown.status == 404)
  }
}
