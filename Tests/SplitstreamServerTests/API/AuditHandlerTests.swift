import Testing

@testable import SplitstreamServer

/// The audit log answers who did what, to what, when; and leaves the server as a table.
@Suite struct AuditHandlerTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func actions(_ query: String, as credential: TestCredential = .tenant) async throws
    -> [String]
  {
    let reply = try await server.call(.listAudit, query: query, as: credential)
    #expect(reply.status == 200)
    return reply.json["data"]?.elements.compactMap { $0["action"]?.string } ?? []
  }

  @Test("every filter narrows the list")
  func filters() async throws {
    let issued = try await server.call(.createApiKey, body: #"{"name":"K","kind":"server"}"#)
    let (actor, key) = (try #require(issued.text("id")), try #require(issued.text("key")))
    let experiment = try await server.draft(as: .key(key))
    try await server.call(.startExperiment, experiment.id, as: .key(key))
    try await server.call(.stopExperiment, experiment.id, body: #"{"reason":"bug"}"#)
    let all = ["experiment.stopped", "experiment.started", "experiment.created"]
    let target = "target_id=\(experiment.id)"
    #expect(try await actions(target) == all)
    #expect(try await actions("\(target)&target_type=experiment") == all)
    #expect(try await actions("\(target)&target_type=metric") == [])
    #expect(try await actions("\(target)&action=experiment.started") == [all[1]])
    #expect(try await actions("actor_id=\(actor)") == Array(all[1...]))
    #expect(try await actions("\(target)&actor_id=01ARZ3NDEKTSV4RRFFQ69G5FAV") == [])
    #expect(try await actions("\(target)&since=2020-01-01T00:00:00Z") == all)
    #expect(try await actions("\(target)&until=2020-01-01T00:00:00Z") == [])

    // From a line's own time on, and before it.
    let lines = try await server.call(.listAudit, query: target)
    let times = try #require(lines.json["data"]).elements.compactMap { $0["created_at"]?.string }
    #expect(try await actions("\(target)&since=\(times[1])") == Array(all[...1]))
    #expect(try await actions("\(target)&until=\(times[1])") == [all[2]])
    #expect(try await actions("\(target)&since=\(times[1])&until=\(times[0])") == [all[1]])
  }

  @Test("pages follow one another without a gap")
  func pages() async throws {
    let experiment = try await server.running()
    try await server.call(.stopExperiment, experiment.id, body: #"{"reason":"bug"}"#)
    var (cursor, seen) = ("", [String]())
    for _ in 0..<3 {
      let reply = try await server.call(
        .listAudit, query: "target_id=\(experiment.id)&limit=1\(cursor)")
      seen += reply.json["data"]?.elements.compactMap { $0["action"]?.string } ?? []
      cursor = "&cursor=\(reply.text("next_cursor") ?? "none")"
    }
    #expect(seen == ["experiment.stopped", "experiment.started", "experiment.created"])
    #expect(cursor == "&cursor=none")
  }

  @Test("what is wrong in a query is named, all of it")
  func wrong() async throws {
    let reply = try await server.call(
      .listAudit, query: "actor_id=x&since=yesterday&until=2026-02-30T00:00:00Z&limit=0&cursor=y")
    #expect(reply.status == 422)
    #expect(
      reply.pointers == [
        "/query/actor_id", "/query/cursor", "/query/limit", "/query/since", "/query/until",
      ])
  }

  @Test("a bound key reads its own environment's lines, a stranger none of ours")
  func access() async throws {
    let dev = try await server.draft()
    let production = try await server.draft(in: server.tenant.production)
    let bound = TestCredential.key(server.tenant.boundKey)
    #expect(try await actions("target_id=\(dev.id)", as: bound) == ["experiment.created"])
    #expect(try await actions("target_id=\(production.id)", as: bound) == [])
    #expect(try await actions("target_id=\(dev.id)", as: .key(server.stranger.key)) == [])
  }

  @Test("as a table it is RFC 4180, and a spreadsheet computes nothing in it")
  func table() async throws {
    let experiment = try await server.running()
    try await server.call(
      .stopExperiment, experiment.id,
      body: #"{"reason":"bug","outcome_notes":"=1+1, \"quoted\"\nline"}"#)
    func page(_ query: String) async throws -> APIReply {
      try await server.call(
        .listAudit, query: "target_id=\(experiment.id)&\(query)", headers: ["Accept: text/csv"])
    }
    let first = try await page("limit=2")
    #expect(first.header("Content-Type") == "text/csv; charset=utf-8")
    let text = String(decoding: first.body, as: UTF8.self)
    let rows = text.split(separator: "\r\n", omittingEmptySubsequences: false)
    #expect(rows.first == "id,created_at,actor_id,action,target_type,target_id,payload")
    #expect(rows.count == 4 && rows.last == "")
    #expect(rows[1].contains(",experiment.stopped,experiment,\(experiment.id),\"{"))
    #expect(rows[1].contains(#""outcome_notes"": ""=1+1, \""quoted\""\nline"""#))
    let cursor = try #require(first.header("Splitstream-Next-Cursor"))
    let last = try await page("limit=2&cursor=\(cursor)")
    #expect(last.header("Splitstream-Next-Cursor") == nil)
    #expect(String(decoding: last.body, as: UTF8.self).contains("experiment.created"))
  }

  @Test(
    "a field is quoted where it must be",
    arguments: [
      ("plain", "plain"), ("", ""), ("a,b", #""a,b""#), ("a\"b", #""a""b""#),
      ("a\r\nb", "\"a\r\nb\""), ("=1", #""'=1""#), ("+1", #""'+1""#), ("-1", #""'-1""#),
      ("@a", #""'@a""#), ("\ta", "\"'\ta\""), ("a=1", "a=1"), ("é", "é"),
    ])
  func field(text: String, expected: String) {
    var csv = CSVWriter()
    csv.row([text, "x"])
    #expect(csv.bytes == Array("\(expected),x\r\n".utf8))
  }
}
