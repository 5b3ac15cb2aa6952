import Testing

@testable import SplitstreamServer

/// Every mutation and every peek writes one line; what is refused writes none.
@Suite struct AuditLineTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func lines(_ query: String, as credential: TestCredential = .tenant) async throws
    -> [JSONValue]
  {
    let reply = try await server.call(.listAudit, query: "limit=200&\(query)", as: credential)
    #expect(reply.status == 200)
    return Array(try #require(reply.json["data"]?.elements))
  }

  private func actions(of target: String, as credential: TestCredential = .tenant) async throws
    -> [String]
  {
    try await lines("target_id=\(target)", as: credential).compactMap { $0["action"]?.string }
  }

  /// The id of the tenant's unbound key.
  private func actor() async throws -> String? {
    try await server.call(.listApiKeys, query: "limit=200").json["data"]?.elements
      .first { $0["name"]?.string == "server" }?["id"]?.string
  }

  @Test("each mutation of an experiment is one line, by whom and on what")
  func experiment() async throws {
    let experiment = try await server.running()
    try await server.call(.updateExperiment, experiment.id, body: #"{"name":"New"}"#)
    try await server.call(.updateExperiment, experiment.id, body: "{}")
    try await server.snapshot(of: experiment)
    try await server.call(.getResults, experiment.id)
    try await server.call(
      .stopExperiment, experiment.id, body: #"{"reason":"won","outcome_notes":"Good"}"#)
    try await server.call(.startExperiment, experiment.id)
    try await server.call(.archiveExperiment, experiment.id)
    let lines = try await lines("target_id=\(experiment.id)")
    #expect(
      lines.compactMap { $0["action"]?.string } == [
        "experiment.archived", "experiment.stopped", "experiment.peeked", "experiment.updated",
        "experiment.started",
        "experiment.created",
      ])
    let actor = try await actor()
    #expect(
      lines.allSatisfy {
        $0["target_type"]?.string == "experiment" && $0["actor_id"]?.string == actor
      })
    #expect(lines[1]["payload"]?["reason"]?.string == "won")
    #expect(lines[1]["payload"]?["outcome_notes"]?.string == "Good")
    #expect(lines[5]["payload"]?["key"]?.string == experiment.key)
  }

  @Test("metrics, environments and keys are in it, without secrets")
  func others() async throws {
    let metric = try await server.metric().id
    #expect(try await actions(of: metric) == ["metric.created"])
    let environment = try await server.call(
      .createEnvironment, body: #"{"name":"E","slug":"\#(server.newName("audit"))"}"#)
    #expect(try await actions(of: try #require(environment.text("id"))) == ["environment.created"])
    let key = try await server.call(.createApiKey, body: #"{"name":"Audited","kind":"client"}"#)
    let id = try #require(key.text("id"))
    let line = try #require(try await lines("target_id=\(id)").first)
    #expect(line["action"]?.string == "api_key.created")
    #expect(line["payload"]?["name"]?.string == "Audited")
    let secret = try #require(key.text("key")?.split(separator: "_").last)
    #expect(!String(decoding: line.source, as: UTF8.self).contains(secret))
  }

  @Test("what is refused leaves no line")
  func refused() async throws {
    let experiment = try await server.draft()
    try await server.call(.stopExperiment, experiment.id, body: #"{"reason":"won"}"#)
    try await server.call(.updateExperiment, experiment.id, body: #"{"name":""}"#)
    try await server.call(.computeSnapshot, experiment.id)
    try await server.call(.createExperiment, body: server.experimentBody(experiment.key))
    #expect(try await actions(of: experiment.id) == ["experiment.created"])
  }

  @Test("a key reads what it may see: its workspace, or its environment")
  func visibility() async throws {
    let dev = try await server.draft()
    let production = try await server.draft(in: server.tenant.production)
    let bound = TestCredential.key(server.tenant.boundKey)
    #expect(try await actions(of: dev.id, as: bound) == ["experiment.created"])
    #expect(try await actions(of: production.id, as: bound) == [])
    #expect(try await actions(of: dev.id, as: .key(server.stranger.key)) == [])
  }

  @Test("filters are exact and go together")
  func filters() async throws {
    let experiment = try await server.running()
    #expect(try await lines("target_id=\(experiment.id)&action=experiment.started").count == 1)
    #expect(try await lines("target_id=\(experiment.id)&target_type=metric").isEmpty)
    #expect(try await lines("action=experiment").isEmpty)
    #expect(try await lines("action=%25").isEmpty)
    #expect(
      try await lines("target_type=api_key").allSatisfy { $0["target_type"]?.string == "api_key" })
    #expect(try await server.call(.listAudit, query: "action=%00").status == 400)
  }
}
