import Testing

@testable import SplitstreamServer

/// Workspaces and environments.
@Suite struct TenancyHandlersTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  @Test("a key tells its workspace")
  func workspace() async throws {
    for key in [server.tenant.key, server.tenant.boundKey] {
      let reply = try await server.call(.getCurrentWorkspace, as: .key(key))
      #expect(reply.status == 200)
      #expect(reply.text("id") == server.tenant.workspace.text)
    }
  }

  @Test("a new environment is listed, newest first, and can be named at once")
  func create() async throws {
    let slug = server.newName("env")
    let created = try await server.call(
      .createEnvironment, body: #"{"name":"Staging","slug":"\#(slug)"}"#)
    #expect(created.status == 201)
    #expect(created.text("slug") == slug)
    #expect(created.text("workspace_id") == server.tenant.workspace.text)

    let id = try #require(created.text("id"))
    let experiment = try await server.running(in: id)
    for _ in 0..<8 {
      let reply = try await server.call(
        .assign, body: #"{"experiment_key":"\#(experiment.key)","unit_id":"u"}"#,
        headers: ["Splitstream-Environment: \(slug)"])
      #expect(reply.status == 200)
    }
    let listed = try await server.call(.listEnvironments, query: "limit=200")
    let ids = try #require(listed.json["data"]?.elements.compactMap { $0["id"]?.string })
    #expect(
      ids.contains(id) && ids.contains(server.tenant.dev) && !ids.contains(server.stranger.only))
    #expect(ids == ids.sorted(by: >))
  }

  @Test("a bound key sees its own environment only, and makes none")
  func bound() async throws {
    let key = TestCredential.key(server.tenant.boundKey)
    let listed = try await server.call(.listEnvironments, as: key)
    #expect(listed.json["data"]?.elements.compactMap { $0["id"]?.string } == [server.tenant.dev])
    #expect(
      try await server.call(.createEnvironment, as: key, body: #"{"name":"A","slug":"a"}"#).status
        == 403)
  }

  @Test("a slug is taken once in a workspace")
  func conflict() async throws {
    let body = #"{"name":"Again","slug":"production"}"#
    #expect(try await server.call(.createEnvironment, body: body).status == 409)
    let slug = server.newName("env")
    let other = #"{"name":"Mine","slug":"\#(slug)"}"#
    #expect(try await server.call(.createEnvironment, body: other).status == 201)
    let tenant = try await server.newTenant()
    #expect(
      try await server.call(.createEnvironment, as: .key(tenant.key), body: other).status == 201)
  }

  @Test(
    "every wrong field is named",
    arguments: [
      (#"{}"#, ["/name", "/slug"]),
      (#"{"name":"","slug":"a"}"#, ["/name"]),
      (#"{"name":null,"slug":1}"#, ["/name", "/slug"]),
      (#"{"name":"A","slug":"all"}"#, ["/slug"]),
      (#"{"name":"A","slug":""}"#, ["/slug"]),
      (#"{"name":"A","slug":"Upper"}"#, ["/slug"]),
      (#"{"name":"A","slug":" a"}"#, ["/slug"]),
      (#"{"name":"A","slug":"a\n"}"#, ["/slug"]),
      (#"{"name":"A","slug":"é"}"#, ["/slug"]),
      (#"{"name":"A","slug":"\#(String(repeating: "a", count: 33))"}"#, ["/slug"]),
      (#"{"name":"\#(String(repeating: "é", count: 101))","slug":"a"}"#, ["/name"]),
      (#"{"name":"A","slug":"a","shard":1,"a/b~c":2}"#, ["/a~1b~0c", "/shard"]),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    let reply = try await server.call(.createEnvironment, body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }
}
