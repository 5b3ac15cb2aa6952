import Testing

@testable import SplitstreamServer

/// API keys: the secret is in one answer and nowhere else.
@Suite struct KeyHandlersTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  @Test(
    "a new key works at once on every loop, and its secret is never shown again",
    arguments: ["server", "client"])
  func create(kind: String) async throws {
    let name = server.newName("key")
    let created = try await server.call(
      .createApiKey, body: #"{"name":"\#(name)","kind":"\#(kind)"}"#)
    #expect(created.status == 201)
    let key = try #require(created.text("key"))
    #expect(created.text("prefix") == (kind == "server" ? "ss_srv_all" : "ss_clt_all"))
    #expect(key.hasPrefix(created.text("prefix").map { $0 + "_" } ?? "?"))
    #expect(created.text("last_four") == String(key.suffix(4)))
    #expect(created.json["environment_id"]?.isNull == true)
    for _ in 0..<10 {
      let reply = try await server.call(.trackEvent, as: .key(key), body: "{}")
      #expect(reply.status == 422)
    }

    let listed = try await server.call(.listApiKeys, query: "limit=200")
    #expect(listed.status == 200)
    let secret = key.split(separator: "_").last ?? ""
    #expect(!String(decoding: listed.body, as: UTF8.self).contains(secret))
    #expect(listed.json["data"]?.elements.contains { $0["name"]?.string == name } == true)
    let kept = try server.stores.texts(
      "SELECT to_jsonb(k)::text || (SELECT jsonb_agg(a)::text FROM audit_log a) FROM api_keys k")
    #expect(!kept.contains { $0.contains(secret) })
  }

  @Test("an environment may be named, and the key is bound to it")
  func bound() async throws {
    let body = #"{"name":"Bound","kind":"client","environment_id":"\#(server.tenant.production)"}"#
    let created = try await server.call(.createApiKey, body: body)
    #expect(created.status == 201)
    #expect(created.text("environment_id") == server.tenant.production)
    #expect(created.text("prefix") == "ss_clt_production")
  }

  @Test("a bound key issues keys for its own environment only, and lists no others")
  func boundCaller() async throws {
    let caller = TestCredential.key(server.tenant.boundKey)
    let own = try await server.call(
      .createApiKey, as: caller, body: #"{"name":"Own","kind":"server"}"#)
    #expect(own.status == 201)
    #expect(own.text("environment_id") == server.tenant.dev)
    for other in ["null", "\"\(server.tenant.production)\"", "\"\(server.stranger.only)\""] {
      let body = #"{"name":"Other","kind":"server","environment_id":\#(other)}"#
      let reply = try await server.call(.createApiKey, as: caller, body: body)
      #expect(reply.status == 422)
      #expect(reply.pointers == ["/environment_id"])
    }
    let listed = try await server.call(.listApiKeys, query: "limit=200", as: caller)
    #expect(
      listed.json["data"]?.elements.allSatisfy { $0["environment_id"]?.string == server.tenant.dev }
        == true)
  }

  @Test(
    "every wrong field is named",
    arguments: [
      (#"{}"#, ["/kind", "/name"]),
      (#"{"name":"","kind":"admin"}"#, ["/kind", "/name"]),
      (#"{"name":1,"kind":null}"#, ["/kind", "/name"]),
      (#"{"name":"A","kind":"server","environment_id":"x"}"#, ["/environment_id"]),
      (#"{"name":"A","kind":"server","environment_id":7}"#, ["/environment_id"]),
      (
        #"{"name":"A","kind":"server","environment_id":"01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#,
        ["/environment_id"]
      ),
      (#"{"name":"A","kind":"server","scopes":[]}"#, ["/scopes"]),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    for key in [server.tenant.key, server.tenant.boundKey] {
      let reply = try await server.call(.createApiKey, as: .key(key), body: body)
      #expect(reply.status == 422)
      #expect(reply.pointers == pointers)
    }
  }
}
