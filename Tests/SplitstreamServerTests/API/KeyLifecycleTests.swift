import Testing

@testable import SplitstreamServer

/// A key ends when it is revoked, and its secret when another has taken its place.
@Suite struct KeyLifecycleTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func issue(_ members: String = "") async throws -> (id: String, key: String) {
    let reply = try await server.call(
      .createApiKey, body: #"{\#(members)"name":"K","kind":"server"}"#)
    return (try #require(reply.text("id")), try #require(reply.text("key")))
  }

  private func status(_ key: String) async throws -> Int {
    try await server.call(.getCurrentWorkspace, as: .key(key)).status
  }

  @Test("a revoked key is refused from the answer on, on every loop and open connection")
  func revoke() async throws {
    let (id, key) = try await issue()
    let open = try TestClient(port: server.port)
    let request =
      "GET /v1/workspaces/current HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(key)\r\n\r\n"
    try open.send(request)
    #expect(try open.answer().status == 200)
    #expect(try await server.call(.revokeApiKey, id).status == 204)
    try open.send(request)
    #expect(try open.answer().status == 401)
    for _ in 0..<10 { #expect(try await status(key) == 401) }
    #expect(try await server.call(.revokeApiKey, id).status == 404)
    let listed = try await server.call(.listApiKeys, query: "limit=200")
    #expect(listed.json["data"]?.elements.contains { $0["id"]?.string == id } == false)
    #expect(try await server.auditedActions(on: id).first == "api_key.revoked")
  }

  @Test("another process refuses it too")
  func otherProcess() async throws {
    let other = try RunningServer.sharing(server)
    defer { other.stop() }
    let (id, key) = try await issue()
    func statusThere() async throws -> Int {
      try await other.send(
        "GET", "/v1/workspaces/current", ["Authorization: Bearer \(key)"]
      ).status
    }
    try await everywhere("it is known there") { try await statusThere() == 200 }
    try await server.call(.revokeApiKey, id)
    try await everywhere("it is refused there") { try await statusThere() == 401 }
  }

  @Test("a key may revoke itself")
  func itself() async throws {
    let (id, key) = try await issue()
    #expect(try await server.call(.revokeApiKey, id, as: .key(key)).status == 204)
    #expect(try await status(key) == 401)
  }

  @Test("after a rotation the new secret counts at once, the old one as long as was chosen")
  func rotate() async throws {
    let (id, old) = try await issue()
    let overlap = try await server.call(.rotateApiKey, id, body: #"{"overlap_seconds":3600}"#)
    #expect(overlap.status == 200)
    let new = try #require(overlap.text("key"))
    #expect(overlap.text("id") == id)
    #expect(new != old && new.hasPrefix("ss_srv_all_"))
    #expect(overlap.text("last_four") == String(new.suffix(4)))
    let until = try #require(
      overlap.text("previous_valid_until").flatMap { Timestamp(rfc3339: $0) })
    #expect(until.seconds(since: ServerClock.processTime()) > 3000)
    for _ in 0..<6 {
      #expect(try await status(old) == 200)
      #expect(try await status(new) == 200)
    }
    let at = try await server.call(.rotateApiKey, id)
    #expect(at.status == 200)
    for _ in 0..<6 {
      #expect(try await status(old) == 401)
      #expect(try await status(new) == 401)
      #expect(try await status(try #require(at.text("key"))) == 200)
    }
    try await server.call(.revokeApiKey, id)
    #expect(try await status(try #require(at.text("key"))) == 401)
    let kept = try server.stores.texts(
      "SELECT to_jsonb(k)::text || (SELECT jsonb_agg(a)::text FROM audit_log a) FROM api_keys k")
    let secret = try #require(new.split(separator: "_").last)
    #expect(!kept.contains { $0.contains(secret) })
  }

  @Test("the overlap ends by itself")
  func overlapEnds() async throws {
    let (id, old) = try await issue()
    try await server.call(.rotateApiKey, id, body: #"{"overlap_seconds":1}"#)
    var status = 200
    for _ in 0..<20_000 where status == 200 { status = try await self.status(old) }
    #expect(status == 401)
  }

  @Test(
    "a wrong overlap is named",
    arguments: [
      (#"{"overlap_seconds":-1}"#, "/overlap_seconds"),
      (#"{"overlap_seconds":604801}"#, "/overlap_seconds"),
      (#"{"overlap_seconds":1.5}"#, "/overlap_seconds"),
      (#"{"overlap_seconds":null}"#, "/overlap_seconds"), (#"{"overlap":1}"#, "/overlap"),
    ])
  func wrong(body: String, pointer: String) async throws {
    let (id, key) = try await issue()
    let reply = try await server.call(.rotateApiKey, id, body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == [pointer])
    #expect(try await status(key) == 200)
  }

  @Test("a bound key rules over the keys of its environment only, a stranger over none")
  func access() async throws {
    let (unbound, key) = try await issue()
    let (bound, _) = try await issue(#""environment_id":"\#(server.tenant.dev)","#)
    for caller in [server.tenant.boundKey, server.stranger.key] {
      for operation in [Operation.rotateApiKey, .revokeApiKey] {
        #expect(try await server.call(operation, unbound, as: .key(caller)).status == 404)
      }
    }
    #expect(try await status(key) == 200)
    let caller = TestCredential.key(server.tenant.boundKey)
    #expect(try await server.call(.rotateApiKey, bound, as: caller).status == 200)
    #expect(try await server.call(.revokeApiKey, bound, as: caller).status == 204)
  }

  @Test("the last use is written down without a write per request")
  func lastUse() async throws {
    let server = try RunningServer()
    let used = try await server.call(.createApiKey, body: #"{"name":"used","kind":"client"}"#)
    let key = TestCredential.key(try #require(used.text("key")))
    for _ in 0..<20 { try await server.call(.trackEvent, as: key, body: "{}") }
    try await server.call(.createApiKey, body: #"{"name":"unused","kind":"client"}"#)
    // What is left to write is written at the end.
    server.stop()
    #expect(
      try server.stores.texts(
        "SELECT name FROM api_keys WHERE last_used_at IS NOT NULL AND name LIKE '%used'") == [
          "used"
        ])
  }
}
