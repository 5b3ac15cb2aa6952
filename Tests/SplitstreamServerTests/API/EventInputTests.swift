import Testing

@testable import SplitstreamServer

/// What may be in an event. What PostgreSQL would refuse is refused here, before it is accepted.
@Suite struct EventInputTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func track(properties: String, key: String = "event") async throws -> APIReply {
    try await server.call(
      .trackEvent, as: .key(server.tenant.clientKey),
      body: #"{"event_key":"\#(key)","unit_id":"unit","properties":\#(properties)}"#)
  }

  @Test(
    "every wrong field is named",
    arguments: [
      ("{}", ["/event_key", "/unit_id"]),
      (
        #"{"event_key":1,"unit_id":2,"properties":3,"occurred_at":4,"client_event_id":5}"#,
        ["/client_event_id", "/event_key", "/occurred_at", "/properties", "/unit_id"]
      ),
      (
        #"{"event_key":null,"unit_id":null,"properties":null,"occurred_at":null,"client_event_id":null}"#,
        ["/client_event_id", "/event_key", "/occurred_at", "/properties", "/unit_id"]
      ),
      (#"{"event_key":"Sign Up","unit_id":""}"#, ["/event_key", "/unit_id"]),
      (#"{"event_key":"\#(String(repeating: "e", count: 129))","unit_id":"u"}"#, ["/event_key"]),
      (#"{"event_key":"e","unit_id":"\#(String(repeating: "é", count: 129))"}"#, ["/unit_id"]),
      (#"{"event_key":"e","unit_id":"u","occurred_at":"yesterday"}"#, ["/occurred_at"]),
      (#"{"event_key":"e","unit_id":"u","occurred_at":""}"#, ["/occurred_at"]),
      (#"{"event_key":"e","unit_id":"u","occurred_at":"2024-02-30T00:00:00Z"}"#, ["/occurred_at"]),
      (#"{"event_key":"e","unit_id":"u","occurred_at":"2026-01-01"}"#, ["/occurred_at"]),
      (
        #"{"event_key":"e","unit_id":"u","occurred_at":"\#(String(repeating: "9", count: 100))"}"#,
        ["/occurred_at"]
      ),
      (
        #"{"event_key":"e","unit_id":"u","client_event_id":"\#(String(repeating: "i", count: 129))"}"#,
        ["/client_event_id"]
      ),
      (
        #"{"event_key":"e","unit_id":"u","client_event_id":"\#(String(repeating: "😀", count: 129))"}"#,
        ["/client_event_id"]
      ),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    let reply = try await server.call(.trackEvent, as: .key(server.tenant.clientKey), body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }

  @Test("an id has up to 128 characters of any length")
  func longestID() async throws {
    let body =
      #"{"event_key":"e","unit_id":"u","client_event_id":"\#(String(repeating: "😀", count: 128))"}"#
    #expect(
      try await server.call(.trackEvent, as: .key(server.tenant.clientKey), body: body).status
        == 202)
  }

  @Test("properties have at most 16 KiB as sent")
  func size() async throws {
    func object(_ bytes: Int) -> String { #"{"a":"\#(String(repeating: "x", count: bytes - 8))"}"# }
    #expect(try await track(properties: object(16 * 1024)).status == 202)
    let reply = try await track(properties: object(16 * 1024 + 1))
    #expect(reply.status == 422)
    #expect(reply.pointers == ["/properties"])
    // Blanks are sent, too.
    #expect(
      try await track(properties: "{" + String(repeating: " ", count: 16 * 1024 - 1) + "}").status
        == 422)
  }

  @Test("properties have at most 8 levels")
  func depth() async throws {
    func nested(_ levels: Int) -> String {
      String(repeating: #"{"a":"#, count: levels) + "1" + String(repeating: "}", count: levels)
    }
    #expect(try await track(properties: nested(8)).status == 202)
    #expect(try await track(properties: #"{"a":[[[[[[[1]]]]]]]}"#).status == 202)
    #expect(try await track(properties: nested(9)).pointers == ["/properties"])
    #expect(try await track(properties: #"{"a":[[[[[[[[1]]]]]]]]}"#).pointers == ["/properties"])
    #expect(try await track(properties: nested(1000)).status == 400)
  }

  @Test("no NUL, no lone surrogate, no member twice, anywhere")
  func malformed() async throws {
    for properties in [
      #"{"a":"\u0000"}"#, #"{"\u0000":1}"#, #"{"a":"\udc00"}"#, #"{"a":{"b":1,"b":1}}"#,
      #"{"a":01}"#,
    ] {
      #expect(try await track(properties: properties).status == 400)
    }
  }

  /// PostgreSQL keeps 131,072 digits before the point and 16,383 after it; beyond that it refuses
  /// the row.
  @Test("numbers are kept exactly or refused, and what is accepted reaches PostgreSQL")
  func numbers() async throws {
    let key = server.newName("event")
    let kept = [
      "1e131071", "1e-16383", "-0.5e-16382", "0e131071", "1E+5", "12e-3", #""1e999999""#,
      #""\"1e999999""#,
    ]
    for number in kept {
      #expect(
        try await track(properties: #"{"a":\#(number)}"#, key: key).status == 202, "\(number)")
    }
    for number in [
      "1e131072", "1e-16384", "0.5e-16383", "0e-16384", "[1,{\"b\":-1E99999999999999999999}]",
    ] {
      let reply = try await track(properties: #"{"a":\#(number)}"#, key: key)
      #expect(reply.status == 422, "\(number)")
      #expect(reply.pointers == ["/properties"])
    }
    try await server.snapshot(of: server.running())
    #expect(
      try server.stores.texts("SELECT event_key FROM events WHERE event_key = $1", .text(key)).count
        == kept.count)
    #expect(try server.stores.texts("SELECT reason FROM rejected_events").isEmpty)
  }
}
