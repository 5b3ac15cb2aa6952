import Testing

@testable import SplitstreamServer

/// `PATCH /v1/experiments/{id}`: what may change when, and that two writers do not overwrite each
/// other.
@Suite struct UpdateExperimentTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func patch(_ experiment: TestExperiment, _ body: String, _ headers: [String] = [])
    async throws -> APIReply
  {
    try await server.call(.updateExperiment, experiment.id, body: body, headers: headers)
  }

  @Test("a draft changes in all that it has, and the rest stays")
  func draft() async throws {
    let experiment = try await server.draft()
    let metric = try await server.metric().id
    let key = server.newName("renamed")
    let reply = try await patch(
      experiment,
      #"""
      {"environment_id":"\#(server.tenant.production)","key":"\#(key)","name":"New","unit_type":"device",
      "assignment_mode":"external","primary_metric_id":"\#(metric)","decision_rule":{"max_duration_days":7},
      "variants":[{"key":"x","weight":10},{"key":"control","weight":80},{"key":"z","weight":10,"is_control":true}]}
      """#)
    #expect(reply.status == 200)
    let read = try await server.call(.getExperiment, experiment.id)
    #expect(read.body == reply.body)
    #expect(read.header("ETag") == "\"2\"")
    #expect(read.text("environment_id") == server.tenant.production)
    #expect(read.text("key") == key)
    #expect(read.text("hypothesis") == "It helps")
    #expect(read.text("assignment_mode") == "external")
    #expect(
      read.json["variants"]?.elements.compactMap { $0["key"]?.string } == ["x", "control", "z"])
    #expect(
      read.json["variants"]?.elements.compactMap { $0["is_control"]?.bool } == [false, false, true])
    #expect(read.json["decision_rule"]?["max_duration_days"]?.integer == 7)
    #expect(read.json["decision_rule"]?["posterior_threshold"]?.double == 0.995)
  }

  @Test("a metric can be taken out again, and guardrails replaced")
  func metrics() async throws {
    let (first, second) = (try await server.metric().id, try await server.metric().id)
    let experiment = try await server.draft(
      #""primary_metric_id":"\#(first)","guardrail_metric_ids":["\#(second)"],"#)
    let swapped = try await patch(
      experiment, #"{"primary_metric_id":"\#(second)","guardrail_metric_ids":["\#(first)"]}"#)
    #expect(swapped.text("primary_metric_id") == second)
    #expect(swapped.json["guardrail_metric_ids"]?.elements.compactMap(\.string) == [first])
    let emptied = try await patch(
      experiment, #"{"primary_metric_id":null,"guardrail_metric_ids":[]}"#)
    #expect(emptied.json["primary_metric_id"]?.isNull == true)
    #expect(emptied.json["guardrail_metric_ids"]?.elements.isEmpty == true)
  }

  @Test("a change of nothing changes nothing")
  func nothing() async throws {
    let experiment = try await server.running()
    let turned =
      #"[{"key":"treatment","weight":50},{"key":"control","weight":50,"is_control":true}]"#
    for body in [
      "{}", #"{"name":"Name of \#(experiment.key)","variants":\#(RunningServer.halves)}"#,
      #"{"variants":\#(turned)}"#,
    ] {
      let reply = try await patch(experiment, body)
      #expect(reply.status == 200)
      #expect(reply.header("ETag") == "\"2\"")
    }
  }

  @Test("while it runs, words, rule, guardrails and weights change")
  func running() async throws {
    let experiment = try await server.running()
    let metric = try await server.metric().id
    let reply = try await patch(
      experiment,
      #"""
      {"name":"Better","hypothesis":"Still","guardrail_metric_ids":["\#(metric)"],
      "decision_rule":{"posterior_threshold":0.9},
      "variants":[{"key":"treatment","weight":70,"description":"New"},{"key":"control","weight":30,"is_control":true}]}
      """#)
    #expect(reply.status == 200)
    #expect(reply.text("status") == "running")
    // Their order is that of the start: the hash's ranges are kept in it.
    #expect(
      reply.json["variants"]?.elements.compactMap { $0["key"]?.string } == ["control", "treatment"])
    #expect(reply.json["variants"]?.elements.compactMap { $0["weight"]?.integer } == [30, 70])
  }

  @Test("while it runs, what its units depend on is frozen, and every such field is named")
  func frozen() async throws {
    let experiment = try await server.running()
    let metric = try await server.metric().id
    let before = try await server.call(.getExperiment, experiment.id)
    let changes = [
      ("/environment_id", #""environment_id":"\#(server.tenant.production)""#),
      ("/key", #""key":"another""#),
      ("/unit_type", #""unit_type":"account""#),
      ("/assignment_mode", #""assignment_mode":"external""#),
      ("/primary_metric_id", #""primary_metric_id":"\#(metric)""#),
      ("/variants", #""variants":[{"key":"control","weight":50},{"key":"other","weight":50}]"#),
    ]
    for (pointer, change) in changes {
      let reply = try await patch(experiment, "{\(change)}")
      #expect(reply.status == 409)
      #expect(reply.text("detail")?.contains(pointer) == true)
    }
    let all = try await patch(experiment, "{" + changes.map(\.1).joined(separator: ",") + "}")
    for (pointer, _) in changes { #expect(all.text("detail")?.contains(pointer) == true) }
    let control =
      #"{"variants":[{"key":"control","weight":50},{"key":"treatment","weight":50,"is_control":true}]}"#
    #expect(try await patch(experiment, control).status == 409)
    #expect(try await server.call(.getExperiment, experiment.id).body == before.body)
  }

  @Test("what is over changes no more")
  func over() async throws {
    let experiment = try await server.running()
    try await server.call(.stopExperiment, experiment.id, body: #"{"reason":"bug"}"#)
    #expect(try await patch(experiment, #"{"name":"Late"}"#).status == 409)
    try await server.call(.archiveExperiment, experiment.id)
    #expect(try await patch(experiment, #"{"name":"Later"}"#).status == 409)
  }

  @Test("If-Match names the version that is changed")
  func ifMatch() async throws {
    let experiment = try await server.draft()
    #expect(
      try await patch(experiment, #"{"name":"A"}"#, [#"If-Match: "1""#]).header("ETag") == "\"2\"")
    let stale = try await patch(experiment, #"{"name":"B"}"#, [#"If-Match: "1""#])
    #expect(stale.status == 412)
    #expect(stale.kind == "precondition-failed")
    #expect(try await patch(experiment, #"{"name":"B"}"#, [#"If-Match: "1", "7""#]).status == 412)
    // A strong comparison is asked for (RFC 9110 §13.1.1).
    #expect(try await patch(experiment, #"{"name":"B"}"#, [#"If-Match: W/"2""#]).status == 412)
    #expect(try await patch(experiment, #"{"name":"B"}"#, [#"If-Match: "1", "2""#]).status == 200)
    #expect(try await patch(experiment, #"{"name":"C"}"#, ["If-Match: *"]).status == 200)
    #expect(try await server.call(.getExperiment, experiment.id).text("name") == "C")
  }

  @Test("of those who change one version at once, one succeeds and the rest are told")
  func concurrent() async throws {
    let experiment = try await server.draft()
    let statuses = try await concurrently(8) { index in
      try await patch(experiment, #"{"name":"Writer \#(index)"}"#, [#"If-Match: "1""#]).status
    }
    #expect(statuses.sorted() == [200] + Array(repeating: 412, count: 7))
    // Without a condition all are applied, one after the other.
    let unconditional = try await concurrently(8) { index in
      try await patch(experiment, #"{"name":"Again \#(index)"}"#).status
    }
    #expect(unconditional == Array(repeating: 200, count: 8))
    #expect(try await server.call(.getExperiment, experiment.id).header("ETag") == "\"10\"")
  }

  @Test("a key that is taken is a conflict")
  func takenKey() async throws {
    let (first, second) = (try await server.draft(), try await server.draft())
    #expect(try await patch(second, #"{"key":"\#(first.key)"}"#).status == 409)
  }

  @Test("a change is read as strictly as a creation")
  func wrong() async throws {
    let experiment = try await server.draft()
    let reply = try await patch(
      experiment,
      #"{"nmae":"x","key":"","variants":[{"key":"a","weight":1}],"audience":{},"decision_rule":{"method":"x"},"name":null}"#
    )
    #expect(reply.status == 422)
    #expect(
      reply.pointers == [
        "/audience", "/decision_rule/method", "/key", "/name", "/nmae", "/variants",
      ])
    let foreign = try await patch(experiment, #"{"environment_id":"\#(server.stranger.only)"}"#)
    #expect(foreign.pointers == ["/environment_id"])
  }

  @Test("whoever has the current version is told so, in few bytes")
  func notModified() async throws {
    let experiment = try await server.draft()
    let tag = try #require(try await server.call(.getExperiment, experiment.id).header("ETag"))
    func status(_ condition: String) async throws -> Int {
      let reply = try await server.call(
        .getExperiment, experiment.id, headers: ["If-None-Match: \(condition)"])
      #expect(reply.header("ETag") == tag || reply.status == 200)
      #expect(reply.body.isEmpty == (reply.status == 304))
      return reply.status
    }
    for same in [tag, "W/\(tag)", "\"x\", \(tag)", "*"] { #expect(try await status(same) == 304) }
    for other in ["\"x\"", "W/\"x\"", String(tag.dropLast())] {
      #expect(try await status(other) == 200)
    }
    try await server.call(.updateExperiment, experiment.id, body: #"{"name":"New"}"#)
    #expect(try await status(tag) == 200)
  }

  @Test("a wrong change is wrong whatever version it is based on")
  func conditionComesLast() async throws {
    let experiment = try await server.draft()
    for (body, status) in [("{", 400), (#"{"name":7}"#, 422), (#"{"name":"New"}"#, 412)] {
      let reply = try await server.call(
        .updateExperiment, experiment.id, body: body, headers: ["If-Match: \"stale\""])
      #expect(reply.status == status)
    }
  }
}
