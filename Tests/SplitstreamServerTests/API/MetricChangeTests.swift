import Testing

@testable import SplitstreamServer

/// What a started experiment measures by keeps its meaning; what nobody uses may go.
@Suite struct MetricChangeTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  @Test("any subset of the members changes, the rest stays")
  func change() async throws {
    let metric = try await server.metric()
    let read = try await server.call(.getMetric, metric.id)
    #expect(read.status == 200)
    let changed = try await server.call(
      .updateMetric, metric.id, as: .key(server.tenant.boundKey),
      body: #"{"event_key":"other","unit_dedup_window":"P1D"}"#)
    #expect(changed.status == 200)
    #expect(changed.text("event_key") == "other")
    #expect(changed.text("unit_dedup_window") == "P1D")
    #expect(changed.text("name") == read.text("name"))
    #expect(changed.text("key") == read.text("key"))
    #expect(try await server.call(.getMetric, metric.id).body == changed.body)
    #expect(try await server.call(.updateMetric, metric.id, body: "{}").body == changed.body)
    #expect(
      try await server.auditedActions(on: metric.id) == [
        "metric.updated", "metric.created",
      ])
  }

  @Test("a key that is taken is not taken again")
  func conflict() async throws {
    let (one, other) = (try await server.metric(), try await server.metric())
    let body = #"{"key":"\#(one.eventKey)"}"#
    #expect(try await server.call(.updateMetric, other.id, body: body).status == 409)
    #expect(try await server.call(.updateMetric, one.id, body: body).status == 200)
  }

  @Test(
    "every wrong field is named",
    arguments: [
      (
        #"{"key":null,"name":"","event_key":"A B","kind":"ratio","aggregation":"max","x":1}"#,
        ["/aggregation", "/event_key", "/key", "/kind", "/name", "/x"]
      ),
      (
        #"{"unit_dedup_window":"a week","property_path":7}"#,
        ["/property_path", "/unit_dedup_window"]
      ),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    let metric = try await server.metric()
    let reply = try await server.call(.updateMetric, metric.id, body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }

  @Test(
    "from the start on it may get another name and no other meaning",
    arguments: ["primary_metric_id", "guardrail_metric_ids"])
  func started(role: String) async throws {
    let metric = try await server.metric()
    let value = role == "primary_metric_id" ? #""\#(metric.id)""# : #"["\#(metric.id)"]"#
    let experiment = try await server.draft(#""\#(role)":\#(value),"#)
    #expect(
      try await server.call(.updateMetric, metric.id, body: #"{"event_key":"draft"}"#).status
        == 200)
    #expect(try await server.call(.startExperiment, experiment.id).status == 200)
    for frozen in [
      #""event_key":"new""#, #""aggregation":"sum""#, #""unit_dedup_window":"P1D""#,
      #""property_path":"$.a""#, #""desired_direction":"decrease""#,
    ] {
      #expect(
        try await server.call(.updateMetric, metric.id, body: "{\(frozen)}").status == 409,
        "\(frozen)")
    }
    #expect(
      try await server.call(
        .updateMetric, metric.id, body: #"{"name":"New","event_key":"draft"}"#
      ).status == 200)
    try await server.call(.stopExperiment, experiment.id, body: #"{"reason":"bug"}"#)
    #expect(
      try await server.call(.updateMetric, metric.id, body: #"{"event_key":"new"}"#).status == 409)
  }

  @Test(
    "a metric in use stays, also that of an archived experiment",
    arguments: ["primary_metric_id", "guardrail_metric_ids"])
  func inUse(role: String) async throws {
    let metric = try await server.metric()
    let value = role == "primary_metric_id" ? #""\#(metric.id)""# : #"["\#(metric.id)"]"#
    let experiment = try await server.draft(#""\#(role)":\#(value),"#)
    #expect(try await server.call(.deleteMetric, metric.id).status == 409)
    try await server.call(.archiveExperiment, experiment.id)
    #expect(try await server.call(.deleteMetric, metric.id).status == 409)
    #expect(try await server.call(.getMetric, metric.id).status == 200)
  }

  @Test("one that nobody uses goes, and is audited")
  func delete() async throws {
    let metric = try await server.metric()
    #expect(try await server.call(.deleteMetric, metric.id).status == 204)
    #expect(try await server.call(.deleteMetric, metric.id).status == 404)
    #expect(try await server.call(.getMetric, metric.id).status == 404)
    #expect(try await server.auditedActions(on: metric.id).first == "metric.deleted")
  }

  @Test("an experiment that names a metric and its deletion: one of the two happens")
  func race() async throws {
    for _ in 0..<10 {
      let metric = try await server.metric()
      let key = server.newName("experiment")
      let body = server.experimentBody(key, #""primary_metric_id":"\#(metric.id)","#)
      let statuses = try await concurrently(2) { [server] index in
        index == 0
          ? try await server.call(.createExperiment, body: body).status
          : try await server.call(.deleteMetric, metric.id).status
      }
      #expect(
        statuses[0] == 201 && statuses[1] == 409
          || [409, 422].contains(statuses[0]) && statuses[1] == 204, "\(statuses)")
    }
  }

  @Test("another workspace sees none")
  func access() async throws {
    let metric = try await server.metric()
    for key in [server.stranger.key, server.stranger.boundKey] {
      for (operation, body) in [
        (Operation.getMetric, nil), (.updateMetric, #"{"name":"Mine"}"#), (.deleteMetric, nil),
      ] {
        #expect(
          try await server.call(operation, metric.id, as: .key(key), body: body).status == 404)
      }
    }
    #expect(try await server.call(.getMetric, metric.id).text("name") == "M")
  }
}
