import Testing

@testable import SplitstreamServer

/// Metrics belong to the workspace.
@Suite struct MetricHandlersTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  @Test("a metric has its defaults, and every key of the workspace sees it")
  func create() async throws {
    let key = server.newName("metric")
    let body = #"{"key":"\#(key)","name":"Activated","event_key":"user.activated","kind":"binary"}"#
    let created = try await server.call(.createMetric, as: .key(server.tenant.boundKey), body: body)
    #expect(created.status == 201)
    #expect(created.text("aggregation") == "count")
    #expect(created.text("unit_dedup_window") == "P7D")
    #expect(created.json["property_path"]?.isNull == true)
    #expect(created.text("desired_direction") == "increase")
    let id = try #require(created.text("id"))
    for (credential, sees) in [
      (server.tenant.key, true), (server.tenant.boundKey, true), (server.stranger.key, false),
    ] {
      let listed = try await server.call(.listMetrics, query: "limit=200", as: .key(credential))
      #expect(listed.json["data"]?.elements.contains { $0["id"]?.string == id } == sees)
    }
  }

  @Test("what is given is kept")
  func given() async throws {
    let key = server.newName("metric")
    let reply = try await server.call(
      .createMetric,
      body: #"""
        {"key":"\#(key)","name":"Ünïcode","event_key":"e","kind":"revenue","aggregation":"sum",
        "unit_dedup_window":"PT1H30M","property_path":"$.order['total price']",
        "desired_direction":"decrease"}
        """#)
    #expect(reply.status == 201)
    #expect(reply.text("name") == "Ünïcode")
    #expect(reply.text("aggregation") == "sum")
    #expect(reply.text("unit_dedup_window") == "PT1H30M")
    #expect(reply.text("property_path") == "$.order['total price']")
    #expect(reply.text("kind") == "revenue")
    #expect(reply.text("desired_direction") == "decrease")
  }

  @Test("a key is taken once in a workspace, also by two at once")
  func conflict() async throws {
    let key = server.newName("metric")
    let body = #"{"key":"\#(key)","name":"A","event_key":"e","kind":"binary"}"#
    let statuses = try await concurrently(4) { _ in
      try await server.call(.createMetric, body: body).status
    }
    #expect(statuses.sorted() == [201, 409, 409, 409])
    #expect(
      try await server.call(.createMetric, as: .key(server.stranger.key), body: body).status == 201)
  }

  @Test(
    "every wrong field is named",
    arguments: [
      (#"{}"#, ["/event_key", "/key", "/kind", "/name"]),
      (
        #"{"key":"A","name":"","event_key":"a b","kind":"ratio"}"#,
        ["/event_key", "/key", "/kind", "/name"]
      ),
      (
        #"{"key":null,"name":null,"event_key":null,"kind":null}"#,
        ["/event_key", "/key", "/kind", "/name"]
      ),
      (
        #"{"key":1,"name":[],"event_key":{},"kind":true}"#,
        ["/event_key", "/key", "/kind", "/name"]
      ),
      (
        #"{"key":"a","name":"A","event_key":"e","kind":"sum","desired_direction":"up"}"#,
        ["/desired_direction", "/kind"]
      ),
      (
        #"{"key":"a","name":"A","event_key":"e","kind":"binary","property_path":"$.a[0]"}"#,
        ["/property_path"]
      ),
      (
        #"{"key":"a","name":"A","event_key":"e","kind":"binary","property_path":"$..a"}"#,
        ["/property_path"]
      ),
      (
        #"{"key":"a","name":"A","event_key":"e","kind":"binary","aggregation":"max"}"#,
        ["/aggregation"]
      ),
      (
        #"{"key":"a","name":"A","event_key":"e","kind":"binary","unit_dedup_window":"P1M"}"#,
        ["/unit_dedup_window"]
      ),
      (
        #"{"key":"a","name":"A","event_key":"e","kind":"binary","unit_dedup_window":""}"#,
        ["/unit_dedup_window"]
      ),
      (#"{"key":"a","name":"A","event_key":"e","kind":"binary","Name":"x"}"#, ["/Name"]),
      (
        #"{"key":"\#(String(repeating: "k", count: 129))","name":"A","event_key":"e","kind":"binary"}"#,
        ["/key"]
      ),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    let reply = try await server.call(.createMetric, body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }
}
