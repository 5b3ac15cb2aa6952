import Testing

@testable import SplitstreamServer

/// Every kind of metric and every decision method, from the request that defines it to the
/// snapshot.
@Suite struct DecisionMethodTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func metric(_ members: String) async throws -> (id: String, eventKey: String) {
    let key = server.newName("metric")
    let reply = try await server.call(
      .createMetric, body: #"{\#(members),"key":"\#(key)","name":"M","event_key":"\#(key)"}"#)
    #expect(reply.status == 201)
    return (try #require(reply.text("id")), key)
  }

  private func send(_ events: [String]) async throws {
    let reply = try await server.call(
      .trackEventBatch, as: .key(server.tenant.clientKey),
      body: #"{"events":[\#(events.joined(separator: ","))]}"#)
    #expect(reply.json["accepted_count"]?.integer == events.count)
  }

  /// The units of each variant, in the order of assignment.
  private func assignUnits(_ count: Int, to experiment: TestExperiment) async throws
    -> [String: [String]]
  {
    var units: [String: [String]] = [:]
    for unit in 0..<count {
      let reply = try await server.assign("u\(unit)", to: experiment)
      units[try #require(reply.text("variant")), default: []].append("u\(unit)")
    }
    return units
  }

  /// So many units in each variant, whatever their hashes are.
  private func exposeUnits(_ count: Int, to experiment: TestExperiment) async throws
    -> [String: [String]]
  {
    var units: [String: [String]] = [:]
    for variant in ["control", "treatment"] {
      units[variant] = (0..<count).map { "\(variant)-\($0)" }
    }
    let exposures = units.flatMap { variant, units in
      units.map {
        #"{"experiment_key":"\#(experiment.key)","unit_id":"\#($0)","variant":"\#(variant)"}"#
      }
    }
    let reply = try await server.call(
      .logExposureBatch, as: .key(server.tenant.clientKey),
      body: #"{"exposures":[\#(exposures.joined(separator: ","))]}"#)
    #expect(reply.json["accepted_count"]?.integer == exposures.count)
    return units
  }

  @Test("amounts, counts and means are those of the units, invalid values are told")
  func kinds() async throws {
    let revenue = try await metric(#""kind":"revenue","aggregation":"sum""#)
    let duration = try await metric(
      #""kind":"duration","aggregation":"mean","property_path":"$.page.ms","desired_direction":"decrease""#
    )
    let count = try await metric(#""kind":"count""#)
    let experiment = try await server.running(
      """
      "primary_metric_id":"\(revenue.id)","guardrail_metric_ids":["\(duration.id)","\(count.id)"],
      """)
    let units = try await assignUnits(60, to: experiment)
    let (control, treatment) = (units["control"] ?? [], units["treatment"] ?? [])
    try #require(control.count > 2 && treatment.count > 2)
    func event(_ key: String, _ unit: String, _ properties: String) -> String {
      #"{"event_key":"\#(key)","unit_id":"\#(unit)","properties":\#(properties)}"#
    }
    try await send([
      event(revenue.eventKey, control[0], #"{"value":10.25}"#),
      event(revenue.eventKey, control[0], #"{"value":-2.25}"#),
      event(revenue.eventKey, control[1], #"{"value":"12"}"#),
      event(revenue.eventKey, treatment[0], #"{"value":1e59}"#),
      event(revenue.eventKey, treatment[1], #"{"value":1e-59}"#),
      event(duration.eventKey, control[0], #"{"page":{"ms":100}}"#),
      event(duration.eventKey, control[0], #"{"page":{"ms":300}}"#),
      event(duration.eventKey, control[1], #"{"page":[{"ms":5}]}"#),
      // The second falls into the window of the first.
      event(count.eventKey, treatment[0], "{}"), event(count.eventKey, treatment[0], "{}"),
    ])
    let snapshot = try await server.snapshot(of: experiment).json
    let metrics = Array(try #require(snapshot["metrics"]?.elements))
    #expect(metrics.map { $0["kind"]?.string } == ["revenue", "duration", "count"])
    func rates(_ index: Int) -> [Double] {
      metrics[index]["per_variant"]?.elements.compactMap { $0["observed_rate"]?.double } ?? []
    }
    #expect(abs(rates(0)[0] - 8 / Double(control.count)) < 1e-12)
    #expect(rates(1) == [200, 0])
    #expect(rates(2) == [0, 1 / Double(treatment.count)])
    #expect(metrics.map { $0["invalid_value_count"]?.integer } == [1, 1, 0])
    #expect(snapshot["invalid_value_count"]?.integer == 1)
    #expect(metrics[1]["desired_direction"]?.string == "decrease")
    let conversions = metrics.map { metric in
      metric["per_variant"]?.elements.compactMap { $0["conversions"]?.integer } ?? []
    }
    #expect(conversions == [[1, 2], [1, 0], [0, 1]])
    let text = try await server.send(
      "GET", "/v1/experiments/\(experiment.id)/results",
      ["Authorization: Bearer \(server.tenant.key)", "Accept: text/plain"])
    #expect(String(decoding: text.body, as: UTF8.self).contains("per unit"))
  }

  @Test(
    "a sequential method keeps its smallest p-value from snapshot to snapshot",
    arguments: ["bayesian.always_valid_evalue", "frequentist.sequential_msprt"],
    ["binary", "revenue"])
  func processes(method: String, kind: String) async throws {
    let primary = try await metric(#""kind":"\#(kind)","aggregation":"sum""#)
    let experiment = try await server.running(
      """
      "primary_metric_id":"\(primary.id)","decision_rule":{"method":"\(method)","posterior_threshold":0.9,\
      "minimum_detectable_effect":0.5,"min_sample_per_variant":5},"assignment_mode":"external",
      """)
    let units = try await exposeUnits(80, to: experiment)
    func process(_ snapshot: JSONValue) throws -> (p: Double, interval: [Double]?) {
      let sequential = try #require(snapshot["sequential"])
      #expect(sequential["method"]?.string == method)
      #expect(abs((sequential["alpha"]?.double ?? 0) - 0.1) < 1e-12)
      let entry = try #require(sequential["per_variant"]?.elements.first { _ in true })
      #expect(entry["variant_key"]?.string == "treatment")
      #expect(entry["p_value"]?.double == entry["holm_p_value"]?.double)
      return (
        try #require(entry["p_value"]?.double),
        entry["difference_interval"]?.elements.compactMap(\.double)
      )
    }
    let silent = try await server.snapshot(of: experiment).json
    #expect(try process(silent).p == 1)
    func event(_ index: Int, _ unit: String) -> String {
      """
      {"event_key":"\(primary.eventKey)","unit_id":"\(unit)","properties":{"value":\(5 + index % 3)}}
      """
    }
    // All but a few of the treatment, few of the control: without variance the mSPRT is silent.
    let control = units["control", default: []]
    try await send(
      units["treatment", default: []].enumerated().filter { $0.offset % 10 > 0 }.map(event)
        + control.enumerated().filter { $0.offset % 10 == 0 }.map(event))
    let first = try await server.snapshot(of: experiment).json
    #expect(try process(first).p < 0.1)
    #expect(first["decision"]?["winner"]?.string == "treatment")
    #expect(first["decision_rule_satisfied"]?.bool == true)
    if kind == "revenue" {
      let interval = try #require(try process(first).interval)
      #expect(interval.count == 2 && interval[0] < interval[1])
    }
    // The control catches up: the evidence of now is less, what was found remains.
    try await send(control.enumerated().filter { $0.offset % 10 > 1 }.map(event))
    let later = try await server.snapshot(of: experiment).json
    #expect(try process(later).p == process(first).p)
    // Another level is another process.
    #expect(
      try await server.call(
        .updateExperiment, experiment.id,
        body: """
          {"decision_rule":{"method":"\(method)","posterior_threshold":0.95,\
          "minimum_detectable_effect":0.5,"min_sample_per_variant":5}}
          """
      ).status == 200)
    let other = try await server.snapshot(of: experiment).json
    let entry = other["sequential"]?["per_variant"]?.elements.first { _ in true }
    #expect(try #require(entry?["p_value"]?.double) > process(first).p)
  }
}
