import Testing

@testable import SplitstreamServer

/// Pauses keep new units out; overrides put one in, whatever its hash says.
@Suite struct PauseAndOverrideTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func force(_ unit: String, _ variant: String, in experiment: TestExperiment) async throws
    -> APIReply
  {
    try await server.call(
      .putOverride, experiment.id, unit, body: #"{"variant":"\#(variant)"}"#)
  }

  private func end(_ unit: String, in experiment: TestExperiment) async throws -> Int {
    try await server.call(.deleteOverride, experiment.id, unit).status
  }

  private func sample(_ experiment: TestExperiment) async throws -> Int {
    let snapshot = try await server.snapshot(of: experiment)
    return snapshot.json["per_variant"].map {
      $0.elements.compactMap { $0["sample_size"]?.integer }.reduce(0, +)
    } ?? -1
  }

  @Test("while paused, who is in stays in, and nobody else comes in")
  func paused() async throws {
    let experiment = try await server.running()
    let before = try await server.assign("known", to: experiment)
    let paused = try await server.call(.pauseExperiment, experiment.id)
    #expect(paused.status == 200)
    #expect(paused.text("status") == "running")
    #expect(paused.text("paused_at") != nil)
    #expect(paused.header("ETag") != nil)
    let kept = try await server.assign("new", to: experiment)
    #expect(kept.json["variant"]?.isNull == true)
    #expect(kept.text("reason") == "audience_excluded")
    #expect(kept.text("exclusion") == "paused")
    #expect(try await server.assign("known", to: experiment).body == before.body)
    #expect(try await force("forced", "treatment", in: experiment).status == 200)
    #expect(try await server.assign("forced", to: experiment).text("variant") == "treatment")
    let resumed = try await server.call(.resumeExperiment, experiment.id)
    #expect(resumed.json["paused_at"]?.isNull == true)
    #expect(try await server.assign("new", to: experiment).text("reason") == "bucketed")
    let audit = try await server.call(.listAudit, query: "target_id=\(experiment.id)&limit=3")
    #expect(
      audit.json["data"]?.elements.compactMap { $0["action"]?.string }
        == ["experiment.resumed", "override.set", "experiment.paused"])
  }

  @Test("only what runs is paused, only what is paused resumed; of several at once one does it")
  func transitions() async throws {
    let experiment = try await server.draft()
    for operation in [Operation.pauseExperiment, .resumeExperiment] {
      #expect(try await server.call(operation, experiment.id).status == 409)
    }
    _ = try await server.call(.startExperiment, experiment.id)
    #expect(try await server.call(.resumeExperiment, experiment.id).status == 409)
    let replies = try await concurrently(5) { _ in
      try await server.call(.pauseExperiment, experiment.id).status
    }
    #expect(replies.sorted() == [200, 409, 409, 409, 409])
    let stopped = try await server.call(
      .stopExperiment, experiment.id, body: #"{"reason":"bug"}"#)
    #expect(stopped.json["paused_at"]?.isNull == true)
    for operation in [Operation.pauseExperiment, .resumeExperiment] {
      #expect(try await server.call(operation, experiment.id).status == 409)
    }
  }

  @Test("an override moves a stored unit, and its end moves it back to its hash")
  func override() async throws {
    let experiment = try await server.running()
    let unit = try UnitID.named("unit")
    let before = try await server.assign("unit", to: experiment)
    let other = before.text("variant") == "control" ? "treatment" : "control"
    let set = try await force("unit", other, in: experiment)
    #expect(set.status == 200)
    #expect(set.text("variant") == other)
    #expect(set.text("unit_id") == "unit")
    let forced = try await server.assign("unit", to: experiment)
    #expect(forced.text("variant") == other)
    #expect(forced.text("reason") == "forced")
    // The same again changes nothing.
    #expect(try await force("unit", other, in: experiment).body == set.body)
    #expect(try await server.assign("unit", to: experiment).body == forced.body)
    #expect(try await sample(experiment) == 0)
    #expect(try await end("unit", in: experiment) == 204)
    #expect(try await end("unit", in: experiment) == 404)
    let after = try await server.assign("unit", to: experiment)
    #expect(after.text("reason") == "bucketed")
    let slot = Bucketing.slot(of: unit, in: try #require(ULID(experiment.id)), generation: 3)
    #expect(after.text("variant") == (slot < 5000 ? "control" : "treatment"))
    #expect(try await sample(experiment) == 1)
  }

  @Test("a unit may be forced before its first call, also before the start")
  func early() async throws {
    let experiment = try await server.draft()
    for variant in ["control", "treatment"] {
      #expect(try await force(variant, variant, in: experiment).status == 200)
    }
    _ = try await server.call(.startExperiment, experiment.id)
    for variant in ["control", "treatment"] {
      let reply = try await server.assign(variant, to: experiment)
      #expect(reply.text("variant") == variant)
      #expect(reply.text("reason") == "forced")
    }
  }

  @Test("first calls and an override at once: once both are done, the override holds")
  func race() async throws {
    let experiment = try await server.running()
    for round in 0..<8 {
      _ = try await concurrently(12) { index in
        index == 5
          ? try await force("unit\(round)", "treatment", in: experiment).status
          : try await server.assign("unit\(round)", to: experiment).status
      }
      let reply = try await server.assign("unit\(round)", to: experiment)
      #expect(reply.text("reason") == "forced")
      #expect(reply.text("variant") == "treatment")
    }
    #expect(try await sample(experiment) == 0)
  }

  @Test("a first call that waits for an override's commit obeys it, and gives its claim back")
  func underWay() async throws {
    let made = try await server.call(
      .createMutexGroup, body: #"{"key":"\#(server.newName("group"))","name":"Group"}"#)
    let group = try #require(made.text("id"))
    let experiment = try await server.running(#""mutex_group_id":"\#(group)","#)
    let id = PostgresValue.id(ULID(experiment.id))
    let session = try server.stores.session()
    defer { session.close() }
    // As another process would, stopped right before its commit.
    try session.script("BEGIN")
    try session.execute(
      Statement(
        name: "override",
        sql: """
          INSERT INTO assignment_overrides (experiment_id, unit_id, variant_id)
          SELECT experiment_id, 'unit', id FROM variants
          WHERE experiment_id = $1 AND key = 'treatment'
          """), [id])
    try session.execute(
      Statement(
        name: "vacant",
        sql: """
          INSERT INTO assignments
            (experiment_id, unit_id, assignment_id, variant_id, reason, generation, epoch)
          VALUES ($1, 'unit', $2, NULL, 'forced', 2, 1)
          """), [id, .id(ULID.new())])
    async let first = server.assign("unit", to: experiment)
    try await eventually("the first call waits for the override") {
      try !server.stores.texts(
        """
        SELECT query FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE 'WITH wish%'
          AND datname = current_database()
        """
      ).isEmpty
    }
    try session.script("COMMIT")
    let reply = try await first
    #expect(reply.text("reason") == "forced")
    #expect(reply.text("variant") == "treatment")
    let claims = try server.stores.texts(
      "SELECT unit_id FROM mutex_claims WHERE group_id = $1", .id(ULID(group)))
    #expect(claims == [])
  }

  @Test("forced units hold no claim")
  func mutex() async throws {
    let made = try await server.call(
      .createMutexGroup, body: #"{"key":"\#(server.newName("group"))","name":"Group"}"#)
    let member = #""mutex_group_id":"\#(try #require(made.text("id")))","#
    let (one, two) = (try await server.running(member), try await server.running(member))
    _ = try await server.assign("unit", to: one)
    #expect(try await force("unit", "control", in: one).status == 200)
    #expect(try await server.assign("unit", to: one).text("reason") == "forced")
    #expect(try await server.assign("unit", to: two).text("reason") == "bucketed")
    #expect(try await force("unit", "control", in: one).status == 200)
    #expect(try await end("unit", in: one) == 204)
    #expect(try await server.assign("unit", to: one).text("reason") == "mutex_holdout")
  }

  @Test("what cannot be forced")
  func refused() async throws {
    let experiment = try await server.running()
    #expect(try await force("unit", "purple", in: experiment).pointers == ["/variant"])
    let wrong = [
      ("{}", ["/variant"]), (#"{"variant":1}"#, ["/variant"]),
      (#"{"variant":"control","why":1}"#, ["/why"]),
    ]
    for (body, pointers) in wrong {
      let reply = try await server.call(.putOverride, experiment.id, "unit", body: body)
      #expect(reply.status == 422)
      #expect(reply.pointers == pointers)
    }
    let tooLong = String(repeating: "x", count: 257)
    #expect(try await force(tooLong, "control", in: experiment).pointers == ["/path/unit_id"])
    let external = try await server.running(#""assignment_mode":"external","#)
    #expect(try await force("unit", "control", in: external).status == 409)
    _ = try await server.call(.stopExperiment, experiment.id, body: #"{"reason":"bug"}"#)
    #expect(try await force("unit", "control", in: experiment).status == 409)
    #expect(try await end("unit", in: experiment) == 404)
  }

  @Test("an experiment's units, newest first, page by page")
  func list() async throws {
    let experiment = try await server.running()
    for unit in 0..<5 { _ = try await server.assign("unit\(unit)", to: experiment) }
    _ = try await force("unit4", "control", in: experiment)
    _ = try await server.assign("unit4", to: experiment)
    _ = try await server.call(.forceRebucket, experiment.id, "unit1")
    var units: [String] = []
    var cursor: String?
    repeat {
      let page = try await server.call(
        .listAssignments, experiment.id,
        query: "limit=2" + (cursor.map { "&cursor=\($0)" } ?? ""))
      units += page.json["data"]?.elements.compactMap { $0["unit_id"]?.string } ?? []
      cursor = page.text("next_cursor")
    } while cursor != nil
    #expect(units == ["unit4", "unit3", "unit2", "unit0"])
    let newest = try await server.call(.listAssignments, experiment.id, query: "limit=1")
    let entry = newest.json["data"]?.elements.map(\.self).first
    #expect(entry?["reason"]?.string == "forced")
    #expect(entry?["generation"]?.integer == 2)
    let bad = try await server.call(.listAssignments, experiment.id, query: "limit=0&cursor=x")
    #expect(bad.pointers == ["/query/cursor", "/query/limit"])
  }
}
