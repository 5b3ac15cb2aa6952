import Testing

@testable import SplitstreamServer

/// A unit's first assignment is made once, for ever, together with its exposure.
@Suite struct AssignHandlerTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func rows(_ table: String, of experiment: TestExperiment) throws -> Int {
    Int(
      try server.stores.texts(
        "SELECT count(*)::text FROM \(table) WHERE experiment_id = $1", .id(ULID(experiment.id)))[0]
    ) ?? -1
  }

  @Test("the first call decides, and every later one answers the same bytes")
  func sticky() async throws {
    let experiment = try await server.running()
    let first = try await server.assign("unit", to: experiment)
    #expect(first.status == 200)
    #expect(first.text("reason") == "bucketed")
    #expect(first.text("experiment_key") == experiment.key)
    #expect(first.text("unit_id") == "unit")
    #expect(first.text("exposure_logged_at") != nil)
    for _ in 0..<10 {
      #expect(try await server.assign("unit", to: experiment).body == first.body)
      #expect(
        try await server.assign("unit", to: experiment, #""log_exposure":false,"#).body
          == first.body)
    }
    #expect(try rows("assignments", of: experiment) == 1)
    #expect(try rows("exposure_events", of: experiment) == 1)
    let times = try server.stores.texts(
      """
      SELECT (a.exposure_logged_at = x.exposed_at)::text FROM assignments a
      JOIN exposure_events x USING (experiment_id, unit_id, variant_id) WHERE experiment_id = $1
      """, .id(ULID(experiment.id)))
    #expect(times == ["true"])
  }

  @Test("the variant is the one that the published function says")
  func published() async throws {
    let experiment = try await server.running()
    for index in 0..<30 {
      let unit = try #require(UnitID("unit \(index)"))
      let slot = Bucketing.slot(of: unit, in: try #require(ULID(experiment.id)))
      let reply = try await server.assign(unit.text, to: experiment)
      #expect(reply.text("variant") == (slot < 5000 ? "control" : "treatment"))
    }
  }

  @Test("32 first calls at once get one answer, one assignment and one exposure")
  func concurrent() async throws {
    let experiment = try await server.running()
    let replies = try await concurrently(32) { _ in try await server.assign("unit", to: experiment)
    }
    #expect(Set(replies.map(\.status)) == [200])
    #expect(Set(replies.map(\.body)).count == 1)
    #expect(try rows("assignments", of: experiment) == 1)
    #expect(try rows("exposure_events", of: experiment) == 1)
  }

  @Test("many units at once, each its own")
  func manyUnits() async throws {
    let (one, other) = (try await server.running(), try await server.running())
    let replies = try await concurrently(100) { index in
      try await server.assign("unit \(index % 50)", to: index % 2 == 0 ? one : other)
    }
    #expect(Set(replies.map(\.status)) == [200])
    #expect(try rows("assignments", of: one) == 25)
    #expect(try rows("exposure_events", of: other) == 25)
  }

  @Test("without the exposure there is an assignment and no exposure")
  func withoutExposure() async throws {
    let experiment = try await server.running()
    let first = try await server.assign("unit", to: experiment, #""log_exposure":false,"#)
    #expect(first.status == 200)
    #expect(first.text("variant") != nil)
    #expect(first.json["exposure_logged_at"]?.isNull == true)
    #expect(
      try await server.assign("unit", to: experiment, #""log_exposure":false,"#).body == first.body)
    #expect(try rows("assignments", of: experiment) == 1)
    #expect(try rows("exposure_events", of: experiment) == 0)
  }

  @Test("of two at once, the one that wants the exposure gets it")
  func mixedExposure() async throws {
    let experiment = try await server.running()
    for unit in 0..<5 {
      _ = try await concurrently(2) { index in
        try await server.assign(
          "unit \(unit)", to: experiment, index == 0 ? "" : #""log_exposure":false,"#)
      }
    }
    #expect(try rows("assignments", of: experiment) == 5)
    // Whoever came first decided; nobody wrote two.
    #expect(try rows("exposure_events", of: experiment) <= 5)
  }

  @Test("units are their bytes: what only looks the same is another unit")
  func bytes() async throws {
    let experiment = try await server.running()
    let units = [
      "caf\u{e9}", "cafe\u{301}", "CAF\u{e9}", " caf\u{e9}", "\u{212B}", "\u{c5}", "a:b", "a%2Fb",
      "👩‍👩‍👧‍👦",
    ]
    var ids: Set<String> = []
    for unit in units {
      let reply = try await server.assign(unit, to: experiment)
      #expect(reply.text("unit_id").map { Array($0.utf8) } == Array(unit.utf8))
      ids.insert(try #require(reply.text("assignment_id")))
    }
    #expect(ids.count == units.count)
    // An escape is only a way of writing.
    let escaped = try await server.assign(#"caf\u00e9"#, to: experiment)
    #expect(escaped.text("assignment_id").map(ids.contains) == true)
    #expect(try rows("assignments", of: experiment) == units.count)
  }

  @Test("where somebody else buckets, only who was reported has a variant")
  func external() async throws {
    let experiment = try await server.running(#""assignment_mode":"external","#)
    let before = try await server.assign("unit", to: experiment)
    #expect(before.status == 200)
    #expect(before.json["variant"]?.isNull == true)
    #expect(before.text("reason") == "audience_excluded")
    #expect(before.text("exclusion") == "not_reported")
    #expect(try rows("assignments", of: experiment) == 0)
    try await server.call(
      .logExposure,
      body: #"{"experiment_key":"\#(experiment.key)","unit_id":"unit","variant":"treatment"}"#)
    for _ in 0..<4 {
      let after = try await server.assign("unit", to: experiment)
      #expect(after.text("variant") == "treatment")
      #expect(after.text("exposure_logged_at") != nil)
    }
  }

  @Test("what does not run is not there, whatever the reason")
  func notRunning() async throws {
    let draft = try await server.draft()
    let elsewhere = try await server.running(in: server.tenant.production)
    for key in [
      draft.key, elsewhere.key, "unknown", "", "UPPER", String(repeating: "x", count: 5000),
    ] {
      let reply = try await server.assign("unit", to: TestExperiment(id: "", key: key))
      #expect(reply.status == 404, "\(key)")
    }
  }
}
