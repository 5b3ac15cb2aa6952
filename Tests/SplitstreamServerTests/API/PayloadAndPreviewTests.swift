import Testing

@testable import SplitstreamServer

/// What a variant means travels with it; what a unit would get can be seen before it is stored.
@Suite struct PayloadAndPreviewTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private static let variants = #"""
    [{"key":"control","weight":50,"payload":{"color":"grey","size":1.50,"a":[null,"\u00e9"]}},
    {"key":"treatment","weight":50}]
    """#

  private func preview(
    _ unit: String, _ experiment: TestExperiment, as credential: TestCredential? = nil
  ) async throws -> APIReply {
    try await server.call(
      .previewAssignment, as: credential ?? .key(server.tenant.boundKey),
      body: #"{"experiment_key":"\#(experiment.key)","unit_id":"\#(unit)"}"#)
  }

  @Test("a payload is answered as it was written, by every way of asking")
  func payload() async throws {
    let experiment = try await server.running(variants: Self.variants)
    let payload = [UInt8](#"{"color":"grey","size":1.50,"a":[null,"\u00e9"]}"#.utf8)
    var seen: Set<String> = []
    for unit in 0..<200 where unit < 12 || seen.count < 2 {
      let reply = try await server.assign("u\(unit)", to: experiment)
      let variant = try #require(reply.text("variant"))
      seen.insert(variant)
      let expected = variant == "control" ? payload : nil
      #expect(reply.json["payload"].map { Array($0.source) } == expected)
      let batch = try await server.call(
        .assignBatch, as: .key(server.tenant.clientKey),
        body: #"{"experiments":["\#(experiment.key)"],"unit_id":"u\#(unit)"}"#)
      let inBatch = batch.json["assignments"]?[member: experiment.key]?["payload"]
      #expect(inBatch.map { Array($0.source) } == expected)
    }
    #expect(seen.count == 2)
    let read = try await server.call(.getExperiment, experiment.id)
    let stored = read.json["variants"]?.elements.map { $0["payload"].map { Array($0.source) } }
    #expect(stored == [payload, nil])
  }

  @Test("any JSON of at most 4 KiB")
  func limits() async throws {
    func body(_ payload: String) -> String {
      server.experimentBody(
        server.newName("x"),
        variants:
          #"[{"key":"a","weight":50,"payload":\#(payload)},{"key":"b","weight":50}]"#)
    }
    let text = String(repeating: "x", count: 4094)
    for payload in ["1", "\"\(text)\"", "[]", "false", "null", "\"\""] {
      #expect(try await server.call(.createExperiment, body: body(payload)).status == 201)
    }
    let reply = try await server.call(.createExperiment, body: body("\"\(text)x\""))
    #expect(reply.status == 422)
    #expect(reply.pointers == ["/variants/0/payload"])
  }

  @Test("a payload stays until another is given, and as long as the experiment runs")
  func changes() async throws {
    let experiment = try await server.draft(variants: Self.variants)
    func patch(_ payload: String, _ weight: Int = 50) async throws -> APIReply {
      try await server.call(
        .updateExperiment, experiment.id,
        body: """
          {"variants":[{"key":"control","weight":\(weight)\(payload)},\
          {"key":"treatment","weight":\(100 - weight)}]}
          """)
    }
    func payload(_ reply: APIReply) -> String? {
      reply.json["variants"]?.elements.map(\.self).first?["payload"].map {
        String(decoding: $0.source, as: UTF8.self)
      }
    }
    #expect(payload(try await patch("", 40))?.contains("grey") == true)
    #expect(payload(try await patch(#","payload":7"#)) == "7")
    #expect(payload(try await patch(#","payload":null"#)) == nil)
    #expect(payload(try await patch(#","payload":[1]"#)) == "[1]")
    _ = try await server.call(.startExperiment, experiment.id)
    #expect(try await patch(#","payload":[2]"#).status == 409)
    #expect(try await patch(#","payload":null"#).status == 409)
    #expect(payload(try await patch("", 30)) == "[1]")
  }

  @Test("a preview says what assign then answers, and stores nothing")
  func preview() async throws {
    let experiment = try await server.running(variants: Self.variants)
    for unit in 0..<8 {
      let before = try await preview("u\(unit)", experiment)
      #expect(before.status == 200)
      #expect(before.json["stored"]?.bool == false)
      #expect(before.json["generation"]?.integer == 1)
      let slot = Bucketing.slot(
        of: try UnitID.named("u\(unit)"), in: try #require(ULID(experiment.id)))
      #expect(before.json["slot"]?.integer == slot)
      let stored = try server.stores.texts(
        "SELECT unit_id FROM assignments WHERE experiment_id = $1 AND unit_id = $2",
        .id(ULID(experiment.id)), .text("u\(unit)"))
      #expect(stored == [])
      let assigned = try await server.assign("u\(unit)", to: experiment)
      for member in ["variant", "reason"] {
        #expect(before.text(member) == assigned.text(member))
      }
      let after = try await preview("u\(unit)", experiment)
      #expect(after.json["stored"]?.bool == true)
      #expect(after.text("assignment_id") == assigned.text("assignment_id"))
      #expect(after.json["payload"]?.source == assigned.json["payload"]?.source)
    }
  }

  @Test("and why: override, pause, mutex group, generation")
  func why() async throws {
    let made = try await server.call(
      .createMutexGroup, body: #"{"key":"\#(server.newName("group"))","name":"Group"}"#)
    let member = #""mutex_group_id":"\#(try #require(made.text("id")))","#
    let (one, two) = (try await server.running(member), try await server.running(member))
    _ = try await server.assign("held", to: one)
    let held = try await preview("held", two)
    #expect(held.text("reason") == "mutex_holdout")
    #expect(held.text("held_by") == one.key)
    #expect(held.json["variant"]?.isNull == true)
    #expect(try await server.call(.forceRebucket, one.id, "held").status == 204)
    #expect(try await preview("held", one).json["generation"]?.integer == 2)
    #expect(try await preview("held", two).text("reason") == "bucketed")
    _ = try await server.call(.putOverride, two.id, "held", body: #"{"variant":"treatment"}"#)
    _ = try await server.call(.pauseExperiment, two.id)
    let forced = try await preview("held", two)
    #expect(forced.text("reason") == "forced")
    #expect(forced.text("variant") == "treatment")
    let paused = try await preview("new", two)
    #expect(paused.text("reason") == "audience_excluded")
    #expect(paused.text("exclusion") == "paused")
    #expect(try await preview("new", TestExperiment(id: "", key: "unknown")).status == 404)
  }
}
