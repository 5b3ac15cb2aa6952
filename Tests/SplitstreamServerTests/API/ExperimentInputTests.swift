import Testing

@testable import SplitstreamServer

/// Every mistake in an experiment is named at once: a wrong experiment costs weeks.
@Suite struct ExperimentInputTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func expect(
    _ body: String, _ pointers: [String], _ place: SourceLocation = #_sourceLocation
  ) async throws {
    let reply = try await server.call(.createExperiment, body: body)
    #expect(reply.status == 422, sourceLocation: place)
    #expect(reply.pointers == pointers, sourceLocation: place)
  }

  @Test("what is missing is named, all of it")
  func missing() async throws {
    try await expect(
      "{}", ["/environment_id", "/hypothesis", "/key", "/name", "/unit_type", "/variants"])
  }

  @Test("what is of the wrong type is named, all of it")
  func types() async throws {
    try await expect(
      #"""
      {"environment_id":1,"key":2,"name":3,"hypothesis":4,"unit_type":5,"unit_attribute":6,"assignment_mode":7,
      "variants":8,"audience":9,"decision_rule":10,"primary_metric_id":11,"guardrail_metric_ids":12,
      "mutex_group_id":13,"typo":14}
      """#,
      [
        "/assignment_mode", "/audience", "/decision_rule", "/environment_id",
        "/guardrail_metric_ids", "/hypothesis",
        "/key", "/mutex_group_id", "/name", "/primary_metric_id", "/typo", "/unit_attribute",
        "/unit_type", "/variants",
      ])
  }

  @Test("what is null is named, where null says nothing")
  func nulls() async throws {
    try await expect(
      #"""
      {"environment_id":null,"key":null,"name":null,"hypothesis":null,"unit_type":null,"assignment_mode":null,
      "variants":null,"decision_rule":null,"guardrail_metric_ids":null,
      "unit_attribute":null,"audience":null,"primary_metric_id":null,"mutex_group_id":null}
      """#,
      [
        "/assignment_mode", "/decision_rule", "/environment_id", "/guardrail_metric_ids",
        "/hypothesis", "/key", "/name",
        "/unit_type", "/variants",
      ])
  }

  @Test(
    "the rules of one member",
    arguments: [
      (#""decision_rule":{"method":"guess"},"#, ["/decision_rule/method"]),
      (#""decision_rule":{"posterior_threshold":0.49},"#, ["/decision_rule/posterior_threshold"]),
      (#""decision_rule":{"posterior_threshold":1},"#, ["/decision_rule/posterior_threshold"]),
      (
        #""decision_rule":{"minimum_detectable_effect":0},"#,
        ["/decision_rule/minimum_detectable_effect"]
      ),
      (
        #""decision_rule":{"min_sample_per_variant":0},"#, ["/decision_rule/min_sample_per_variant"]
      ),
      (
        #""decision_rule":{"min_sample_per_variant":1.5},"#,
        ["/decision_rule/min_sample_per_variant"]
      ),
      (#""decision_rule":{"max_duration_days":0},"#, ["/decision_rule/max_duration_days"]),
      (
        #""decision_rule":{"max_duration_days":9223372036854775807},"#,
        ["/decision_rule/max_duration_days"]
      ),
      (
        #""decision_rule":{"snapshot_cadence_minutes":0},"#,
        ["/decision_rule/snapshot_cadence_minutes"]
      ),
      (
        #""decision_rule":{"threshold":1,"max_duration_days":"x"},"#,
        ["/decision_rule/max_duration_days", "/decision_rule/threshold"]
      ),
      (#""unit_attribute":"company","#, ["/unit_attribute"]),
      (#""assignment_mode":"auto","#, ["/assignment_mode"]),
      (
        #""guardrail_metric_ids":["x",1],"#, ["/guardrail_metric_ids/0", "/guardrail_metric_ids/1"]
      ),
      (#""primary_metric_id":"","#, ["/primary_metric_id"]),
      (#""status":"running","#, ["/status"]),
    ])
  func members(member: String, pointers: [String]) async throws {
    try await expect(server.experimentBody(server.newName("x"), member), pointers)
  }

  @Test(
    "the rules of the variants",
    arguments: [
      (#"[]"#, ["/variants"]),
      (#"[{"key":"a","weight":100}]"#, ["/variants"]),
      (#"[1,{"key":"a","weight":100}]"#, ["/variants", "/variants/0"]),
      (#"[{"key":"a","weight":50},{"key":"b","weight":49}]"#, ["/variants"]),
      (#"[{"key":"a","weight":50},{"key":"a","weight":50}]"#, ["/variants/1/key"]),
      (
        #"[{"key":"a","weight":-1},{"key":"b","weight":101}]"#,
        ["/variants/0/weight", "/variants/1/weight"]
      ),
      (
        #"[{"key":"A","weight":50},{"key":"","weight":50}]"#,
        ["/variants/0/key", "/variants/1/key"]
      ),
      (#"[{"key":"a","weight":100,"color":1},{"key":"b","weight":0}]"#, ["/variants/0/color"]),
      (
        #"[{"key":"a","weight":50,"is_control":true},{"key":"b","weight":50,"is_control":true}]"#,
        ["/variants/1/is_control"]
      ),
      (
        #"[{"key":"a","weight":100,"is_control":1},{"key":"b","weight":0}]"#,
        ["/variants/0/is_control"]
      ),
      (
        #"[{"key":"a","weight":100,"description":7},{"key":"b","weight":0}]"#,
        ["/variants/0/description"]
      ),
      (
        #"[{"key":"a","weight":9223372036854775807},{"key":"b","weight":9223372036854775807}]"#,
        ["/variants/0/weight", "/variants/1/weight"]
      ),
    ])
  func variants(list: String, pointers: [String]) async throws {
    try await expect(server.experimentBody(server.newName("x"), variants: list), pointers)
  }

  @Test("texts are measured in bytes")
  func lengths() async throws {
    func body(name: Int, hypothesis: Int) -> String {
      """
      {"environment_id":"\(server.tenant.dev)","key":"\(server.newName("x"))","unit_type":"user",\
      "variants":\(RunningServer.halves),"name":"\(String(repeating: "é", count: name))",\
      "hypothesis":"\(String(repeating: "é", count: hypothesis))"}
      """
    }
    try await expect(body(name: 101, hypothesis: 5001), ["/hypothesis", "/name"])
    #expect(
      try await server.call(.createExperiment, body: body(name: 100, hypothesis: 5000)).status
        == 201)
  }

  @Test("at most 20 variants; 20 are served")
  func count() async throws {
    func list(_ count: Int) -> String {
      let variants = (0..<count).map { #"{"key":"v\#($0)","weight":\#($0 < 20 ? 5 : 0)}"# }
      return "[\(variants.joined(separator: ","))]"
    }
    try await expect(server.experimentBody(server.newName("x"), variants: list(21)), ["/variants"])
    let experiment = try await server.running(variants: list(20))
    #expect(try await server.assign("u", to: experiment).text("variant")?.hasPrefix("v") == true)
  }
}
