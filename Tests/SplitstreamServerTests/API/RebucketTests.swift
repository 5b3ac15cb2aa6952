import Testing

@testable import SplitstreamServer

/// A re-bucketed unit begins anew: everywhere, and with nothing of before in the results.
@Suite struct RebucketTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func rebucket(
    _ unit: String, _ experiment: String, as credential: TestCredential = .tenant,
    headers: [String] = []
  ) async throws -> APIReply {
    try await server.call(.forceRebucket, experiment, unit, as: credential, headers: headers)
  }

  private func exposures(_ experiment: TestExperiment) throws -> [String] {
    try server.stores.texts(
      """
      SELECT generation || CASE WHEN superseded_at IS NULL THEN ' live' ELSE ' superseded' END
      FROM exposure_events WHERE experiment_id = $1 ORDER BY generation
      """, .id(ULID(experiment.id)))
  }

  @Test("the next call is hashed with the next generation")
  func nextGeneration() async throws {
    let experiment = try await server.running()
    let id = try #require(ULID(experiment.id))
    for index in 0..<6 {
      let unit = try UnitID.named("unit \(index)")
      let path = "unit%20\(index)"
      var ids: Set<String> = []
      for generation in 1...3 {
        let reply = try await server.assign(unit.text, to: experiment)
        let slot = Bucketing.slot(of: unit, in: id, generation: generation)
        #expect(reply.text("variant") == (slot < 5000 ? "control" : "treatment"))
        ids.insert(try #require(reply.text("assignment_id")))
        #expect(try await server.assign(unit.text, to: experiment).body == reply.body)
        #expect(try await rebucket(path, experiment.id).status == 204)
      }
      #expect(ids.count == 3)
    }
  }

  @Test("its exposures are superseded, and the results count it once")
  func exposures() async throws {
    let experiment = try await server.running()
    for _ in 0..<2 {
      _ = try await server.assign("unit", to: experiment)
      #expect(try await rebucket("unit", experiment.key).status == 204)
    }
    #expect(try exposures(experiment) == ["1 superseded", "2 superseded"])
    let without = try await server.snapshot(of: experiment)
    func sizes(_ reply: APIReply) -> Int {
      let sizes = reply.json["per_variant"]?.elements.compactMap { $0["sample_size"]?.integer }
      return sizes?.reduce(0, +) ?? -1
    }
    #expect(sizes(without) == 0)
    _ = try await server.assign("unit", to: experiment)
    #expect(try exposures(experiment) == ["1 superseded", "2 superseded", "3 live"])
    let with = try await server.snapshot(of: experiment)
    #expect(sizes(with) == 1)
    #expect(with.json["multi_variant_units"]?.integer == 0)
  }

  @Test("there must be an assignment; each is taken away once")
  func none() async throws {
    let experiment = try await server.running()
    #expect(try await rebucket("nobody", experiment.id).status == 404)
    _ = try await server.assign("unit", to: experiment)
    let replies = try await concurrently(8) { _ in
      try await rebucket("unit", experiment.id).status
    }
    #expect(replies.sorted() == [204] + Array(repeating: 404, count: 7))
    let audit = try await server.call(
      .listAudit, query: "action=assignment.rebucketed&target_id=\(experiment.id)")
    #expect(audit.json["data"]?.elements.count == 1)
    let payload = audit.json["data"]?.elements.map(\.self).first?["payload"]
    #expect(payload?["unit_sha256"]?.string == SHA256.hash([UInt8]("unit".utf8)).hex)
  }

  @Test("by id or key, in what the key may see, and not with a client key")
  func naming() async throws {
    let experiment = try await server.running()
    let elsewhere = try await server.running(in: server.tenant.production)
    let tenant = server.tenant
    for name in [experiment.id, experiment.id.lowercased(), experiment.key] {
      _ = try await server.assign("unit", to: experiment)
      #expect(try await rebucket("unit", name, as: .key(tenant.boundKey)).status == 204, "\(name)")
    }
    _ = try await server.assign("unit", to: elsewhere, as: .tenant)
    for key in [tenant.boundKey, server.stranger.key] {
      #expect(try await rebucket("unit", elsewhere.id, as: .key(key)).status == 404)
      #expect(try await rebucket("unit", elsewhere.key, as: .key(key)).status == 404)
    }
    #expect(try await rebucket("unit", elsewhere.id, as: .key(tenant.clientKey)).status == 403)
    #expect(try await rebucket("unit", elsewhere.key).status == 204)
  }

  @Test("a key that two environments have must be told apart")
  func ambiguous() async throws {
    let key = server.newName("twice")
    for environment in [server.tenant.dev, server.tenant.production] {
      let reply = try await server.call(
        .createExperiment, body: server.experimentBody(key, in: environment))
      _ = try await server.call(.startExperiment, try #require(reply.text("id")))
    }
    let experiment = TestExperiment(id: "", key: key)
    _ = try await server.assign("unit", to: experiment)
    let reply = try await rebucket("unit", key)
    #expect(reply.status == 422)
    #expect(reply.pointers == ["/path/experiment"])
    func named(_ environment: String) async throws -> Int {
      try await rebucket("unit", key, headers: ["Splitstream-Environment: \(environment)"]).status
    }
    #expect(try await named("production") == 404)
    #expect(try await named("dev") == 204)
  }

  @Test("the unit in a path is percent-decoded once, and is its bytes")
  func paths() async throws {
    let experiment = try await server.running()
    let units = [
      ("a/b", "a%2Fb"), ("a%2Fb", "a%252Fb"), ("caf\u{e9}", "caf%C3%A9"),
      ("cafe\u{301}", "cafe%CC%81"), ("a b+c", "a%20b+c"), ("..", ".."),
    ]
    for (unit, path) in units {
      _ = try await server.assign(unit, to: experiment)
      let list = try await server.call(
        .getAssignmentsForUnit, path, as: .key(server.tenant.clientKey))
      #expect(list.text("unit_id").map { Array($0.utf8) } == Array(unit.utf8))
      let keys = list.json["assignments"]?.elements.compactMap { $0["experiment_key"]?.string }
      #expect(keys?.contains(experiment.key) == true, "\(unit)")
    }
    for (_, path) in units { #expect(try await rebucket(path, experiment.id).status == 204) }
    let tooLong = String(repeating: "x", count: 257)
    #expect(try await rebucket(tooLong, experiment.id).pointers == ["/path/unit_id"])
    #expect(try await rebucket("%00", experiment.id).status == 400)
    #expect(try await rebucket("%ff", experiment.id).status == 400)
  }

  @Test("a unit's assignments: those of running experiments in the key's environment")
  func ofUnit() async throws {
    let unit = server.newName("reconciled")
    let (one, two) = (try await server.running(), try await server.running())
    let elsewhere = try await server.running(in: server.tenant.production)
    let stopped = try await server.running()
    let (first, second) = (
      try await server.assign(unit, to: one), try await server.assign(unit, to: two)
    )
    for experiment in [elsewhere, stopped] {
      _ = try await server.assign(unit, to: experiment, as: .tenant)
    }
    _ = try await server.call(.stopExperiment, stopped.id, body: #"{"reason":"bug"}"#)
    let list = try await server.call(
      .getAssignmentsForUnit, unit, as: .key(server.tenant.clientKey))
    #expect(
      list.json["assignments"]?.elements.map { Array($0.source) } == [first.body, second.body])
    #expect(try await server.call(.getAssignmentsForUnit, unit).status == 422)
    let production = try await server.call(
      .getAssignmentsForUnit, unit, headers: ["Splitstream-Environment: production"])
    #expect(production.json["assignments"]?.elements.count == 1)
    #expect(try await rebucket(unit, one.id).status == 204)
    let after = try await server.call(
      .getAssignmentsForUnit, unit, as: .key(server.tenant.clientKey))
    #expect(after.json["assignments"]?.elements.count == 1)
  }

  @Test("another server process forgets the old assignment by itself")
  func otherProcess() async throws {
    let experiment = try await server.running()
    let other = try RunningServer(server.stores)
    defer { other.stop() }
    let credential = TestCredential.key(server.tenant.clientKey)
    for _ in 0..<5 {
      let before = try await other.assign("unit", to: experiment, as: credential)
      #expect(before.status == 200)
      #expect(try await rebucket("unit", experiment.id).status == 204)
      let after = try await server.assign("unit", to: experiment)
      #expect(after.text("assignment_id") != before.text("assignment_id"))
      var heard = before
      for _ in 0..<1000 where heard.body != after.body {
        heard = try await other.assign("unit", to: experiment, as: credential)
      }
      #expect(heard.body == after.body)
    }
  }
}
