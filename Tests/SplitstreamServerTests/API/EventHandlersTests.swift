import Testing

@testable import SplitstreamServer

/// Events: 202 means accepted for good, once per id and environment.
@Suite struct EventHandlersTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func track(
    _ key: String, _ members: String = "", as credential: TestCredential? = nil,
    headers: [String] = []
  ) async throws -> APIReply {
    try await server.call(
      .trackEvent, as: credential ?? .key(server.tenant.clientKey),
      body: #"{\#(members)"event_key":"\#(key)","unit_id":"unit"}"#, headers: headers)
  }

  /// The events of a key that PostgreSQL has once all that was accepted is there.
  private func stored(_ key: String, _ column: String = "event_id") async throws -> [String] {
    try await server.snapshot(of: server.running())
    return try server.stores.texts(
      "SELECT (\(column))::text FROM events WHERE event_key = $1 ORDER BY 1", .text(key))
  }

  @Test("an event is stored as it was sent")
  func accepted() async throws {
    let key = server.newName("event")
    let properties =
      #"{"total":12345678901234567890.123456789,"tiny":1e-300,"deep":{"a":[true,null,"\u00e9"]}}"#
    let reply = try await track(
      key, #""properties":\#(properties),"client_event_id":"\#(key)","#)
    #expect(reply.status == 202)
    #expect(reply.json["accepted"]?.bool == true)
    #expect(reply.json["idempotent_replay"]?.bool == false)
    #expect(try await stored(key, "properties ->> 'total'") == ["12345678901234567890.123456789"])
    #expect(try await stored(key, "properties -> 'deep'") == [#"{"a": [true, null, "é"]}"#])
    #expect(try await stored(key, "client_event_id") == [key])
    #expect(
      try await stored(key, "occurred_at - ulid_time(event_id) < interval '1 ms'") == ["true"])
  }

  @Test("without an id, or with an empty one, every call is an event")
  func withoutID() async throws {
    let key = server.newName("event")
    for members in [
      "", "", #""client_event_id":"","#, #""client_event_id":"","#, #""properties":{},"sdk":1,"#,
    ] {
      let reply = try await track(key, members)
      #expect(reply.json["idempotent_replay"]?.bool == false)
    }
    #expect(try await stored(key).count == 5)
  }

  @Test(
    "a replay is accepted and changes nothing, whatever its body says, before and after the drain")
  func replay() async throws {
    let key = server.newName("event")
    let id = #""client_event_id":"\#(key)","#
    #expect(try await track(key, id).json["idempotent_replay"]?.bool == false)
    let replays = try await concurrently(16) { _ in
      try await track(key, id).json["idempotent_replay"]?.bool
    }
    #expect(replays == Array(repeating: true, count: 16))
    #expect(try await stored(key).count == 1)
    let other = try await track("\(key)-other", id + #""properties":{"a":1},"#)
    #expect(other.status == 202)
    #expect(other.json["idempotent_replay"]?.bool == true)
    #expect(try await stored("\(key)-other").isEmpty)
    #expect(try await stored(key).count == 1)
  }

  @Test("of many first calls at once, one counts")
  func concurrentFirst() async throws {
    let key = server.newName("event")
    let replays = try await concurrently(24) { _ in
      try await track(key, #""client_event_id":"\#(key)","#).json["idempotent_replay"]?.bool
    }
    #expect(replays.count { $0 == false } == 1)
    #expect(try await stored(key).count == 1)
  }

  @Test("an id is known in its environment only")
  func scope() async throws {
    let key = server.newName("event")
    let id = #""client_event_id":"\#(key)","#
    // Events of one shard are kept together; of two they could not meet.
    let tenant = try await server.newTenant(environments: ["one", "two"], sharesShard: true)
    func replays(in environment: String) async throws -> Bool? {
      try await track(
        key, id, as: .key(tenant.key), headers: ["Splitstream-Environment: \(environment)"]
      ).json["idempotent_replay"]?.bool
    }
    #expect(try await replays(in: "one") == false)
    #expect(try await replays(in: "two") == false)
    #expect(try await replays(in: "one") == true)
    #expect(try await replays(in: "two") == true)
  }

  @Test("a key without environment must name one, when there are more than one")
  func environment() async throws {
    let unclear = try await track("e", as: .tenant)
    #expect(unclear.status == 422)
    #expect(unclear.pointers == [""])
    #expect(
      try await track("e", as: .tenant, headers: ["Splitstream-Environment: nowhere"]).status == 404
    )
    #expect(
      try await track("e", as: .key(server.stranger.key), headers: ["Splitstream-Environment: dev"])
        .status == 404)
    #expect(try await track("e", as: .key(server.stranger.key)).status == 202)
  }

  @Test("when it happened decides: on time, late, too old, not yet")
  func timing() async throws {
    let key = server.newName("event")
    func occurred(_ seconds: Int) async throws -> APIReply {
      let time = ServerClock.processTime().adding(seconds: seconds).rfc3339
      return try await track(key, #""occurred_at":"\#(time)","#)
    }
    let day = 86_400
    for seconds in [0, -6 * day, -7 * day + 60, -7 * day - 60, -30 * day + 60, day - 60] {
      #expect(try await occurred(seconds).status == 202)
    }
    #expect(try await stored(key, "late") == ["false", "false", "false", "false", "true", "true"])
    let old = try await occurred(-30 * day - 60)
    #expect(old.status == 412)
    #expect(old.kind == "event-too-old")
    for time in ["2001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"] {
      #expect(try await track(key, #""occurred_at":"\#(time)","#).status == 412)
    }
    let early = try await occurred(day + 60)
    #expect(early.status == 422)
    #expect(early.pointers == ["/occurred_at"])
    #expect(try await track(key, #""occurred_at":"9999-12-31T23:59:59.999999Z","#).status == 422)
    #expect(try await stored(key).count == 6)
  }

  @Test("a refused event does not burn its id")
  func refusedKeepsID() async throws {
    let key = server.newName("event")
    let id = #""client_event_id":"\#(key)","#
    #expect(try await track(key, id + #""occurred_at":"2001-01-01T00:00:00Z","#).status == 412)
    #expect(try await track(key, id + #""properties":[],"#).status == 422)
    #expect(try await track(key, id).json["idempotent_replay"]?.bool == false)
  }
}
