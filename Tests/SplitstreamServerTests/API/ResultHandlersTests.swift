import Testing

@testable import SplitstreamServer

/// From assignments and events to the numbers of a snapshot.
@Suite struct ResultHandlersTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  @Test("before the first snapshot there is none, and a draft has nothing to analyse")
  func none() async throws {
    let experiment = try await server.draft()
    #expect(try await server.call(.computeSnapshot, experiment.id).status == 409)
    #expect(try await server.call(.startExperiment, experiment.id).status == 200)
    #expect(try await server.call(.getResults, experiment.id).status == 404)
    let history = try await server.call(.getResultsHistory, experiment.id)
    #expect(history.status == 200)
    #expect(history.json["snapshots"]?.elements.isEmpty == true)
    #expect(history.json["next_cursor"]?.isNull == true)
  }

  @Test("a snapshot counts what was accepted before it, every unit once")
  func counts() async throws {
    let (primary, guardrail) = (try await server.metric(), try await server.metric())
    let experiment = try await server.running(
      #""primary_metric_id":"\#(primary.id)","guardrail_metric_ids":["\#(guardrail.id)"],"#)
    var units: [String: [String]] = [:]
    for unit in 0..<60 {
      let variant = try #require(
        try await server.assign("u\(unit)", to: experiment).text("variant"))
      units[variant, default: []].append("u\(unit)")
    }
    // In each variant two units convert, one of them twice; one more does something else, as does a
    // stranger.
    var events: [String] = []
    for units in units.values {
      try #require(units.count >= 3)
      for unit in [units[0], units[0], units[1]] {
        events.append(#"{"event_key":"\#(primary.eventKey)","unit_id":"\#(unit)"}"#)
      }
      events.append(#"{"event_key":"\#(guardrail.eventKey)","unit_id":"\#(units[2])"}"#)
    }
    events.append(#"{"event_key":"\#(primary.eventKey)","unit_id":"stranger"}"#)
    let accepted = try await server.call(
      .trackEventBatch, as: .key(server.tenant.clientKey),
      body: #"{"events":[\#(events.joined(separator: ","))]}"#)
    #expect(accepted.json["accepted_count"]?.integer == events.count)
    // Before its exposure, and in another environment: neither counts.
    let early = ServerClock.processTime().adding(seconds: -3600).rfc3339
    let unit = try #require(units["control"]?[2])
    try await server.call(
      .trackEvent, as: .key(server.tenant.clientKey),
      body: #"{"event_key":"\#(primary.eventKey)","unit_id":"\#(unit)","occurred_at":"\#(early)"}"#)
    try await server.call(
      .trackEvent, body: #"{"event_key":"\#(primary.eventKey)","unit_id":"\#(unit)"}"#,
      headers: ["Splitstream-Environment: production"])

    let snapshot = try await server.snapshot(of: experiment).json
    #expect(snapshot["experiment_id"]?.string == experiment.id)
    #expect(snapshot["on_demand"]?.bool == true)
    #expect(snapshot["weights_changed_since_start"]?.bool == false)
    let sizes = ["control", "treatment"].map { units[$0]?.count ?? 0 }
    #expect(
      snapshot["per_variant"]?.elements.compactMap { $0["variant_key"]?.string } == [
        "control", "treatment",
      ])
    #expect(snapshot["per_variant"]?.elements.compactMap { $0["sample_size"]?.integer } == sizes)
    #expect(snapshot["per_variant"]?.elements.compactMap { $0["conversions"]?.integer } == [2, 2])
    let metrics = Array(try #require(snapshot["metrics"]?.elements))
    #expect(metrics.compactMap { $0["role"]?.string } == ["primary", "guardrail"])
    #expect(metrics.compactMap { $0["metric_id"]?.string } == [primary.id, guardrail.id])
    #expect(
      metrics[1]["per_variant"]?.elements.compactMap { $0["conversions"]?.integer } == [1, 1])
    #expect(snapshot["decision_rule_satisfied"]?.bool == false)
  }

  @Test("the latest snapshot is answered as it was stored, to whoever may see it")
  func stored() async throws {
    let experiment = try await server.running()
    try await server.assign("unit", to: experiment)
    let first = try await server.snapshot(of: experiment)
    let second = try await server.snapshot(of: experiment)
    #expect(first.json["peek_count_at_computation"]?.integer == 1)
    #expect(second.json["peek_count_at_computation"]?.integer == 2)
    for key in [server.tenant.key, server.tenant.boundKey] {
      let results = try await server.call(.getResults, experiment.id, as: .key(key))
      #expect(results.status == 200)
      #expect(results.body == second.body)
    }
    let kept = try server.stores.texts(
      "SELECT result::text FROM analysis_snapshots WHERE experiment_id = $1 ORDER BY id DESC",
      .id(ULID(experiment.id)))
    #expect(kept == [second, first].map { String(decoding: $0.body, as: UTF8.self) })
    // Reading with a key is no peek.
    #expect(
      try await server.snapshot(of: experiment).json["peek_count_at_computation"]?.integer == 3)
  }

  @Test("the history has every snapshot once, newest first")
  func history() async throws {
    let experiment = try await server.running()
    var made: [String] = []
    for _ in 0..<7 {
      made.append(try #require(try await server.snapshot(of: experiment).text("id")))
    }
    var found: [String] = []
    var cursor: String? = ""
    while let next = cursor, found.count < 100 {
      let page = try await server.call(
        .getResultsHistory, experiment.id,
        query: "limit=3" + (next.isEmpty ? "" : "&cursor=\(next)"))
      #expect(page.text("experiment_id") == experiment.id)
      found += page.json["snapshots"]?.elements.compactMap { $0["id"]?.string } ?? []
      cursor = page.text("next_cursor")
    }
    #expect(found == found.sorted(by: >))
    #expect(Set(found) == Set(made) && found.count == 7)
    let whole = try await server.call(.getResultsHistory, experiment.id, query: "limit=2500")
    #expect(whole.json["snapshots"]?.elements.compactMap { $0["id"]?.string } == found)
    #expect(whole.json["next_cursor"]?.isNull == true)
    let over = try await server.call(.getResultsHistory, experiment.id, query: "limit=2501")
    #expect(over.status == 422)
  }

  @Test("snapshots asked for at once are all made, and each peek counts")
  func concurrent() async throws {
    let experiment = try await server.running()
    let replies = try await concurrently(6) { _ in
      try await server.call(.computeSnapshot, experiment.id)
    }
    #expect(Set(replies.map(\.status)) == [201])
    #expect(Set(replies.compactMap { $0.text("id") }).count == 6)
    #expect(replies.compactMap { $0.json["peek_count_at_computation"]?.integer }.max() == 6)
  }

  @Test("what happens after the stop is not in the result; the decision's reasons are")
  func stopped() async throws {
    let metric = try await server.metric()
    let experiment = try await server.running(#""primary_metric_id":"\#(metric.id)","#)
    for unit in 0..<6 { try await server.assign("u\(unit)", to: experiment) }
    let stopped = try await server.call(
      .stopExperiment, experiment.id, body: #"{"reason":"inconclusive"}"#)
    let event = #"{"event_key":"\#(metric.eventKey)","unit_id":"u1"}"#
    #expect(
      try await server.call(.trackEvent, as: .key(server.tenant.clientKey), body: event).status
        == 202)
    let snapshot = try await server.snapshot(of: experiment).json
    #expect(snapshot["data_through"]?.string == stopped.text("stopped_at"))
    #expect(snapshot["per_variant"]?.elements.compactMap { $0["conversions"]?.integer } == [0, 0])
    let reasons = snapshot["decision"]?["reasons"]?.elements.compactMap { $0["code"]?.string }
    #expect(reasons?.contains("min_sample_not_reached") == true)
  }

  @Test("whoever wants to read it gets a table")
  func table() async throws {
    let experiment = try await server.running()
    try await server.snapshot(of: experiment)
    let request = ["Authorization: Bearer \(server.tenant.key)", "Accept: text/plain"]
    for (method, path, status) in [("GET", "results", 200), ("POST", "snapshots", 201)] {
      let reply = try await server.send(method, "/v1/experiments/\(experiment.id)/\(path)", request)
      #expect(reply.status == status)
      #expect(reply.header("Content-Type") == "text/plain; charset=utf-8")
      #expect(String(decoding: reply.body, as: UTF8.self).contains(experiment.key))
    }
  }
}
