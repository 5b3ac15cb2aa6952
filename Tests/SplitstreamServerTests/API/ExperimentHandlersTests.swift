import Testing

@testable import SplitstreamServer

/// Creating, reading and listing experiments.
@Suite struct ExperimentHandlersTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  @Test("a draft carries its defaults in full")
  func create() async throws {
    let key = server.newName("experiment")
    let created = try await server.call(.createExperiment, body: server.experimentBody(key))
    #expect(created.status == 201)
    #expect(created.text("status") == "draft")
    #expect(created.text("assignment_mode") == "managed")
    let rule = try #require(created.json["decision_rule"])
    #expect(rule["method"]?.string == "bayesian.posterior_threshold")
    #expect(rule["posterior_threshold"]?.double == 0.995)
    #expect(rule["minimum_detectable_effect"]?.double == 0.02)
    #expect(rule["min_sample_per_variant"]?.integer == 20_000)
    #expect(rule["max_duration_days"]?.integer == 28)
    #expect(rule["snapshot_cadence_minutes"]?.integer == 240)
    #expect(
      created.json["variants"]?.elements.compactMap { $0["is_control"]?.bool } == [true, false])
    #expect(created.json["stop_reason"] == nil)

    let read = try await server.call(.getExperiment, try #require(created.text("id")))
    #expect(read.body == created.body)
    #expect(read.header("ETag") == "\"1\"")
    #expect(read.header("ETag") == created.header("ETag"))
  }

  @Test("what is given is kept, texts byte for byte")
  func given() async throws {
    let primary = try await server.metric().id
    let guardrails = [try await server.metric().id, try await server.metric().id]
    let key = server.newName("experiment")
    let created = try await server.call(
      .createExperiment,
      body: #"""
        {"environment_id":"\#(server.tenant.dev)","key":"\#(key)","name":"Caf\u00e9 e\u0301 \ud83d\ude00",
        "hypothesis":"Line\nbreak","unit_type":"custom_attribute","unit_attribute":"company","assignment_mode":"external",
        "variants":[{"key":"a","weight":0,"description":"Old"},{"key":"b","weight":100.0,"is_control":true}],
        "decision_rule":{"posterior_threshold":0.9,"min_sample_per_variant":1},"audience":null,"mutex_group_id":null,
        "primary_metric_id":"\#(primary)","guardrail_metric_ids":["\#(guardrails[1])","\#(guardrails[0])"]}
        """#)
    #expect(created.status == 201)
    let read = try await server.call(.getExperiment, try #require(created.text("id")))
    #expect(read.text("name").map { Array($0.utf8) } == Array("Caf\u{e9} e\u{301} \u{1F600}".utf8))
    #expect(read.text("hypothesis") == "Line\nbreak")
    #expect(read.text("unit_attribute") == "company")
    #expect(read.text("assignment_mode") == "external")
    #expect(read.json["variants"]?.elements.compactMap { $0["weight"]?.integer } == [0, 100])
    #expect(read.json["variants"]?.elements.compactMap { $0["is_control"]?.bool } == [false, true])
    #expect(read.json["decision_rule"]?["posterior_threshold"]?.double == 0.9)
    #expect(read.json["decision_rule"]?["max_duration_days"]?.integer == 28)
    #expect(read.text("primary_metric_id") == primary)
    #expect(
      read.json["guardrail_metric_ids"]?.elements.compactMap(\.string) == [
        guardrails[1], guardrails[0],
      ])
  }

  @Test("a key is taken once in an environment")
  func conflict() async throws {
    let experiment = try await server.draft()
    #expect(
      try await server.call(.createExperiment, body: server.experimentBody(experiment.key)).status
        == 409)
    let elsewhere = server.experimentBody(experiment.key, in: server.tenant.production)
    #expect(try await server.call(.createExperiment, body: elsewhere).status == 201)
    #expect(try await server.call(.archiveExperiment, experiment.id).status == 204)
    #expect(
      try await server.call(.createExperiment, body: server.experimentBody(experiment.key)).status
        == 409)
  }

  @Test("what the caller may not name does not exist for him")
  func foreignReferences() async throws {
    let metric = try await server.metric().id
    let key = server.newName("experiment")
    let members =
      #""primary_metric_id":"\#(metric)","guardrail_metric_ids":["01ARZ3NDEKTSV4RRFFQ69G5FAV","\#(metric)"],"#
    let body = server.experimentBody(key, in: server.tenant.dev, members)
    let stranger = try await server.call(
      .createExperiment, as: .key(server.stranger.key), body: body)
    #expect(stranger.status == 422)
    // The same metric twice is noted before anything is looked up.
    #expect(stranger.pointers == ["/guardrail_metric_ids/1"])

    let once =
      #""primary_metric_id":"\#(metric)","guardrail_metric_ids":["01ARZ3NDEKTSV4RRFFQ69G5FAV"],"#
    let reply = try await server.call(
      .createExperiment, as: .key(server.stranger.key),
      body: server.experimentBody(key, in: server.tenant.dev, once))
    #expect(reply.pointers == ["/environment_id", "/guardrail_metric_ids/0", "/primary_metric_id"])

    let bound = server.experimentBody(key, in: server.tenant.production)
    let denied = try await server.call(
      .createExperiment, as: .key(server.tenant.boundKey), body: bound)
    #expect(denied.pointers == ["/environment_id"])
  }

  @Test("lists leave archived ones out unless they are asked for")
  func list() async throws {
    let environment = try await server.call(
      .createEnvironment, body: #"{"name":"List","slug":"\#(server.newName("list"))"}"#)
    let place = try #require(environment.text("id"))
    let draft = try await server.draft(in: place)
    let running = try await server.running(in: place)
    let stopped = try await server.running(in: place)
    try await server.call(.stopExperiment, stopped.id, body: #"{"reason":"bug"}"#)
    let archived = try await server.draft(in: place)
    try await server.call(.archiveExperiment, archived.id)

    func ids(_ query: String, as credential: TestCredential = .tenant) async throws -> [String]? {
      let reply = try await server.call(.listExperiments, query: query, as: credential)
      #expect(reply.status == 200)
      return reply.json["data"]?.elements.compactMap { $0["id"]?.string }
    }
    #expect(try await ids("environment_id=\(place)") == [stopped.id, running.id, draft.id])
    #expect(try await ids("environment_id=\(place)&status=archived") == [archived.id])
    #expect(try await ids("environment_id=\(place)&status=running") == [running.id])
    #expect(try await ids("environment_id=\(place)", as: .key(server.stranger.key)) == [])
    #expect(try await ids("environment_id=\(place)", as: .key(server.tenant.boundKey)) == [])
    #expect(
      try await ids("limit=200", as: .key(server.tenant.boundKey))?.contains(draft.id) == false)
  }

  @Test("wrong filters are all named")
  func wrongFilters() async throws {
    let reply = try await server.call(
      .listExperiments, query: "status=paused&environment_id=x&limit=0&cursor=%20")
    #expect(reply.status == 422)
    #expect(
      reply.pointers == ["/query/cursor", "/query/environment_id", "/query/limit", "/query/status"])
  }
}
