import Testing

@testable import SplitstreamServer

/// Segments: one audience for many experiments, which a change reaches while they run.
@Suite struct SegmentTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func create(_ key: String, plan: String = "pro") async throws -> APIReply {
    try await server.call(
      .createSegment, body: #"{"key":"\#(key)","name":"S","audience":\#(Self.plan(plan))}"#)
  }

  private static func plan(_ plan: String) -> String {
    #"{"attribute":"plan","op":"eq","value":"\#(plan)"}"#
  }

  @Test("a segment is kept as given, and every key of the workspace sees it")
  func create() async throws {
    let key = server.newName("segment")
    let created = try await create(key)
    #expect(created.status == 201)
    #expect(created.text("key") == key)
    let id = try #require(created.text("id"))
    #expect(
      created.json["audience"].map { String(decoding: $0.source, as: UTF8.self) }
        == Self.plan("pro"))
    for (credential, status) in [
      (server.tenant.key, 200), (server.tenant.boundKey, 200), (server.stranger.key, 404),
      (server.tenant.clientKey, 403),
    ] {
      let read = try await server.call(.getSegment, id, as: .key(credential))
      #expect(read.status == status)
      if status == 200 { #expect(read.body == created.body) }
      let listed = try await server.call(.listSegments, query: "limit=200", as: .key(credential))
      if status != 403 {
        #expect(
          listed.json["data"]?.elements.contains { $0["id"]?.string == id } == (status == 200))
      }
      if status != 200 {
        #expect(
          try await server.call(.updateSegment, id, as: .key(credential), body: "{}").status
            == status)
        #expect(try await server.call(.deleteSegment, id, as: .key(credential)).status == status)
      }
    }
  }

  @Test("a key is taken once in a workspace, also by two at once")
  func conflict() async throws {
    let key = server.newName("segment")
    let statuses = try await concurrently(4) { _ in try await create(key).status }
    #expect(statuses.sorted() == [201, 409, 409, 409])
    let other = try #require(try await create(server.newName("segment")).text("id"))
    #expect(
      try await server.call(.updateSegment, other, body: #"{"key":"\#(key)"}"#).status == 409)
  }

  @Test(
    "every wrong field is named",
    arguments: [
      (#"{}"#, ["/audience", "/key", "/name"]),
      (#"{"key":"A","name":"","audience":null,"x":1}"#, ["/audience", "/key", "/name", "/x"]),
      (#"{"key":"a","name":"A","audience":{"segment":"b"}}"#, ["/audience/segment"]),
      (
        #"{"key":"a","name":"A","audience":{"operator":"not","operands":[]}}"#,
        ["/audience/operands"]
      ),
      (#"{"key":1,"name":2,"audience":3}"#, ["/audience", "/key", "/name"]),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    let reply = try await server.call(.createSegment, body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }

  @Test("an audience names segments that there are")
  func unknown() async throws {
    let key = server.newName("segment")
    let audience = #""audience":{"operator":"not","operands":[{"segment":"\#(key)"}]},"#
    func create(_ members: String) async throws -> APIReply {
      try await server.call(
        .createExperiment, body: server.experimentBody(server.newName("x"), members))
    }
    #expect(try await create(audience).pointers == ["/audience/operands/0/segment"])
    // Another workspace's segment is not there either.
    try await server.call(
      .createSegment, as: .key(server.stranger.key),
      body: #"{"key":"\#(key)","name":"S","audience":\#(Self.plan("pro"))}"#)
    #expect(try await create(audience).status == 422)
    #expect(try await self.create(key).status == 201)
    #expect(try await create(audience).status == 201)
  }

  @Test("a change reaches a running experiment, in this process at once")
  func change() async throws {
    let key = server.newName("segment")
    let segment = try #require(try await create(key).text("id"))
    let experiment = try await server.running(#""audience":{"segment":"\#(key)"},"#)
    let free = #""context":{"plan":"free"},"#
    #expect(try await server.assign("a", to: experiment, free).text("exclusion") == "audience")
    let changed = try await server.call(
      .updateSegment, segment, body: #"{"audience":\#(Self.plan("free"))}"#)
    #expect(changed.status == 200)
    #expect(try await server.assign("a", to: experiment, free).text("reason") == "bucketed")
    #expect(
      try await server.assign("b", to: experiment, #""context":{"plan":"pro"},"#)
        .text("exclusion") == "audience")
  }

  @Test("a change reaches the running experiments of another process")
  func otherProcess() async throws {
    let other = try RunningServer.sharing(server)
    defer { other.stop() }
    let key = server.newName("segment")
    let segment = try #require(try await create(key, plan: "none").text("id"))
    let experiment = try await server.running(#""audience":{"segment":"\#(key)"},"#)
    /// Whether that process admits somebody of this plan; nil while it does not know the
    /// experiment.
    func admitsThere(_ unit: String, _ plan: String) async throws -> Bool? {
      let reply = try await other.send(
        "POST", "/v1/assign",
        [
          "Authorization: Bearer \(server.tenant.clientKey)", "Content-Type: application/json",
        ],
        #"{"experiment_key":"\#(experiment.key)","unit_id":"\#(unit)","context":{"plan":"\#(plan)"}}"#
      )
      return reply.status == 200 ? reply.text("reason") == "bucketed" : nil
    }
    try await everywhere("that process knows the experiment") {
      try await admitsThere("a", "pro") == false
    }
    try await server.call(.updateSegment, segment, body: #"{"audience":\#(Self.plan("pro"))}"#)
    // New units: one that has been admitted is answered from its row.
    try await everywhere("that process knows the change") {
      try await admitsThere(server.newName("unit"), "pro") == true
    }
    #expect(try await admitsThere("b", "none") == false)
  }

  @Test("a segment in use neither goes nor changes its key; one that is not does both")
  func inUse() async throws {
    let key = server.newName("segment")
    let segment = try #require(try await create(key).text("id"))
    let draft = try await server.draft(#""audience":{"segment":"\#(key)"},"#)
    #expect(try await server.call(.deleteSegment, segment).status == 409)
    #expect(try await server.call(.updateSegment, segment, body: #"{"key":"other"}"#).status == 409)
    let renamed = try await server.call(.updateSegment, segment, body: #"{"name":"Other"}"#)
    #expect(renamed.text("name") == "Other")
    #expect(renamed.text("key") == key)
    try await server.call(.updateExperiment, draft.id, body: #"{"audience":null}"#)
    let moved = server.newName("segment")
    #expect(
      try await server.call(.updateSegment, segment, body: #"{"key":"\#(moved)"}"#).text("key")
        == moved)
    #expect(try await server.call(.deleteSegment, segment).status == 204)
    #expect(try await server.call(.deleteSegment, segment).status == 404)
    #expect(
      try await server.auditedActions(on: segment) == [
        "segment.deleted", "segment.updated", "segment.updated", "segment.created",
      ])
  }

  @Test("a change of nothing is none")
  func nothing() async throws {
    let created = try await create(server.newName("segment"))
    let id = try #require(created.text("id"))
    let body = #"{"audience":{"op":"eq","attribute":"plan","value":"pro"}}"#
    #expect(try await server.call(.updateSegment, id, body: body).body == created.body)
    #expect(try await server.auditedActions(on: id) == ["segment.created"])
  }

  @Test("an experiment that names a segment and its deletion: one of the two happens")
  func race() async throws {
    for _ in 0..<8 {
      let key = server.newName("segment")
      let segment = try #require(try await create(key).text("id"))
      let body = server.experimentBody(server.newName("x"), #""audience":{"segment":"\#(key)"},"#)
      let statuses = try await concurrently(2) { index in
        index == 0
          ? try await server.call(.createExperiment, body: body).status
          : try await server.call(.deleteSegment, segment).status
      }
      #expect([[201, 409], [409, 204], [422, 204]].contains(statuses))
    }
  }
}
