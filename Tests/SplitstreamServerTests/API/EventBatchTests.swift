import Testing

@testable import SplitstreamServer

/// `POST /v1/events/batch`: each event is judged alone; what is good is accepted together.
@Suite struct EventBatchTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func send(_ events: [String], hasWrongItems: Bool = false) async throws -> APIReply {
    try await server.call(
      .trackEventBatch, as: .key(server.tenant.clientKey),
      body: #"{"events":[\#(events.joined(separator: ","))]}"#,
      hasWrongItems: hasWrongItems)
  }

  private func stored(_ key: String) async throws -> Int {
    try await server.snapshot(of: server.running())
    return try server.stores.texts("SELECT unit_id FROM events WHERE event_key = $1", .text(key))
      .count
  }

  @Test("refused ones are listed by index and reason, the others are stored")
  func mixed() async throws {
    let key = server.newName("event")
    let reply = try await send(
      [
        #"{"event_key":"\#(key)","unit_id":"a"}"#,
        #"{"event_key":"\#(key)","unit_id":""}"#,
        #"{"event_key":"\#(key)","unit_id":"b","occurred_at":"2001-01-01T00:00:00Z"}"#,
        #"{"event_key":"\#(key)","unit_id":"c","occurred_at":"9999-01-01T00:00:00Z"}"#,
        "7", #"{"unit_id":7}"#,
        #"{"event_key":"\#(key)","unit_id":"d","client_event_id":"\#(key)"}"#,
        #"{"event_key":"\#(key)","unit_id":"e","properties":{"a":1e999999}}"#,
        #"{"event_key":"\#(key)","unit_id":"f","sdk":true}"#,
      ], hasWrongItems: true)
    #expect(reply.status == 202)
    #expect(reply.json["accepted_count"]?.integer == 3)
    #expect(reply.json["replayed_count"]?.integer == 0)
    let rejected = Array(try #require(reply.json["rejected"]?.elements))
    #expect(rejected.compactMap { $0["index"]?.integer } == [1, 2, 3, 4, 5, 7])
    let reasons = rejected.compactMap { $0["reason"]?.string }
    #expect(reasons[0].hasPrefix("/events/1/unit_id "))
    #expect(reasons[1].contains("30 days"))
    #expect(reasons[2].hasPrefix("/events/3/occurred_at "))
    #expect(reasons[4].contains("/events/5/event_key") && reasons[4].contains("/events/5/unit_id"))
    #expect(try await stored(key) == 3)
  }

  @Test("an id counts once, in one batch and across batches")
  func replays() async throws {
    let key = server.newName("event")
    func event(_ id: String) -> String {
      #"{"event_key":"\#(key)","unit_id":"u","client_event_id":"\#(key) \#(id)"}"#
    }
    let first = try await send([event("a"), event("b"), event("a"), event("a")])
    #expect(first.json["accepted_count"]?.integer == 4)
    #expect(first.json["replayed_count"]?.integer == 2)
    let second = try await send([event("b"), event("c")])
    #expect(second.json["replayed_count"]?.integer == 1)
    let batch = [event("c"), event("d"), event("e")]
    let all = try await concurrently(12) { _ in try await send(batch) }
    #expect(all.reduce(0) { $0 + ($1.json["replayed_count"]?.integer ?? 0) } == 34)
    let single = try await server.call(
      .trackEvent, as: .key(server.tenant.clientKey), body: event("e"))
    #expect(single.json["idempotent_replay"]?.bool == true)
    #expect(try await stored(key) == 5)
  }

  @Test("a batch holds 1 to 500 events, and more bytes than other bodies")
  func count() async throws {
    let key = server.newName("event")
    let event =
      #"{"event_key":"\#(key)","unit_id":"u","properties":{"a":"\#(String(repeating: "x", count: 3000))"}}"#
    let reply = try await send(Array(repeating: event, count: 500))
    #expect(reply.json["accepted_count"]?.integer == 500)
    #expect(try await stored(key) == 500)
    let small = #"{"event_key":"\#(key)","unit_id":"u"}"#
    for events in [[], Array(repeating: small, count: 501)] {
      let refused = try await send(events)
      #expect(refused.status == 422)
      #expect(refused.pointers == ["/events"])
    }
    #expect(try await stored(key) == 500)
  }

  @Test("a batch of wrong ones only is accepted as such")
  func allWrong() async throws {
    let reply = try await send(["{}", "{}"], hasWrongItems: true)
    #expect(reply.status == 202)
    #expect(reply.json["accepted_count"]?.integer == 0)
    #expect(reply.json["rejected"]?.elements.count == 2)
  }

  @Test(
    "what is no list of objects is a 422",
    arguments: ["{}", #"{"events":null}"#, #"{"events":{}}"#, #"{"event":[]}"#])
  func noList(body: String) async throws {
    let reply = try await server.call(
      .trackEventBatch, as: .key(server.tenant.clientKey), body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == ["/events"])
  }
}
