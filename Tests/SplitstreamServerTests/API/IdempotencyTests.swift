import Testing

@testable import SplitstreamServer

/// Whoever repeats a request because an answer was lost does nothing twice.
@Suite struct IdempotencyTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func metricBody(_ key: String) -> String {
    #"{"key":"\#(key)","name":"M","event_key":"e","kind":"binary"}"#
  }

  private func header(_ key: String) -> [String] { ["Idempotency-Key: \(key)"] }

  @Test("a repetition is answered as the first request was, and does nothing")
  func replay() async throws {
    let (key, body) = (server.newName("once"), metricBody(server.newName("metric")))
    let first = try await server.call(.createMetric, body: body, headers: header(key))
    #expect(first.status == 201)
    #expect(first.header("Idempotent-Replayed") == nil)
    for _ in 0..<5 {
      let again = try await server.call(.createMetric, body: body, headers: header(key))
      #expect(again.status == 201)
      #expect(again.body == first.body)
      #expect(again.header("Content-Type") == first.header("Content-Type"))
      #expect(again.header("Idempotent-Replayed") == "true")
    }
    let id = try #require(first.text("id"))
    #expect(try await server.auditedActions(on: id) == ["metric.created"])
    // Without the key it is another request.
    #expect(try await server.call(.createMetric, body: body).status == 409)
  }

  @Test("the whole answer is repeated, with its ETag, whatever has become of the thing since")
  func experiment() async throws {
    let experiment = try await server.draft()
    let headers = header(server.newName("once"))
    let started = try await server.call(.startExperiment, experiment.id, headers: headers)
    #expect(started.status == 200)
    try await server.call(.stopExperiment, experiment.id, body: #"{"reason":"bug"}"#)
    let again = try await server.call(.startExperiment, experiment.id, headers: headers)
    #expect(again.body == started.body)
    #expect(again.header("ETag") == started.header("ETag"))
    let looked = header(server.newName("once"))
    let snapshot = try await server.call(.computeSnapshot, experiment.id, headers: looked)
    #expect(snapshot.status == 201)
    #expect(
      try await server.call(.computeSnapshot, experiment.id, headers: looked).body == snapshot.body)
  }

  @Test("another body, path or query under the same key is 422")
  func otherRequest() async throws {
    let (key, name) = (server.newName("once"), server.newName("metric"))
    try await server.call(.createMetric, body: metricBody(name), headers: header(key))
    let other = try await server.call(
      .createMetric, body: metricBody(name) + " ", headers: header(key))
    #expect(other.status == 422)
    #expect(other.pointers == [""])
    let path = try await server.call(
      .createEnvironment, body: metricBody(name), headers: header(key))
    #expect(path.status == 422)
    #expect(path.pointers == [""])
    let query = try await server.call(
      .createMetric, query: "note=1", body: metricBody(name), headers: header(key))
    #expect(query.status == 422)
    #expect(query.pointers == [""])
  }

  @Test("a refused request does not use its key up")
  func refused() async throws {
    let (key, name) = (server.newName("once"), server.newName("metric"))
    #expect(try await server.call(.createMetric, body: "{}", headers: header(key)).status == 422)
    #expect(try await server.call(.createMetric, body: "{", headers: header(key)).status == 400)
    #expect(
      try await server.call(.createMetric, body: metricBody(name), headers: header(key)).status
        == 201)
  }

  @Test("of many at once one is done; the others are told to wait, or get its answer")
  func concurrent() async throws {
    let (key, body) = (server.newName("once"), metricBody(server.newName("metric")))
    let replies = try await concurrently(16) { [server] _ in
      try await server.call(.createMetric, body: body, headers: ["Idempotency-Key: \(key)"])
    }
    let done = replies.filter { $0.status == 201 }
    #expect(!done.isEmpty && Set(done.map(\.body)).count == 1)
    #expect(replies.allSatisfy { $0.status == 201 || $0.status == 409 })
    let id = try #require(done.first?.text("id"))
    #expect(try await server.auditedActions(on: id) == ["metric.created"])
  }

  @Test("a key belongs to who sent it")
  func scope() async throws {
    let (key, body) = (server.newName("once"), metricBody(server.newName("metric")))
    let mine = try await server.call(.createMetric, body: body, headers: header(key))
    let theirs = try await server.call(
      .createMetric, as: .key(server.stranger.key), body: body, headers: header(key))
    #expect(theirs.status == 201)
    #expect(theirs.text("id") != mine.text("id"))
  }

  @Test("a secret is shown once: its issue is not repeated")
  func secrets() async throws {
    let headers = header(server.newName("once"))
    let body = #"{"name":"K","kind":"client"}"#
    let issued = try await server.call(.createApiKey, body: body, headers: headers)
    #expect(issued.status == 201)
    #expect(try await server.call(.createApiKey, body: body, headers: headers).status == 409)
    let id = try #require(issued.text("id"))
    let rotation = header(server.newName("once"))
    let rotated = try await server.call(.rotateApiKey, id, headers: rotation)
    #expect(rotated.status == 200)
    #expect(try await server.call(.rotateApiKey, id, headers: rotation).status == 409)
    #expect(try await server.auditedActions(on: id) == ["api_key.rotated", "api_key.created"])
    let kept = try server.stores.texts("SELECT to_jsonb(k)::text FROM idempotency_keys k")
    let secret = try #require(rotated.text("key")?.split(separator: "_").last)
    #expect(!kept.contains { $0.contains(secret) })
  }

  @Test(
    "what is no key is named",
    arguments: [
      ["Idempotency-Key: "], ["Idempotency-Key: a b"], ["Idempotency-Key: é"],
      ["Idempotency-Key: \(String(repeating: "x", count: 256))"],
      ["Idempotency-Key: a", "Idempotency-Key: a"],
    ])
  func wrong(headers: [String]) async throws {
    let body = metricBody(server.newName("metric"))
    let reply = try await server.call(.createMetric, body: body, headers: headers)
    #expect(reply.status == 422)
    #expect(reply.pointers == [""])
  }

  @Test("where applications call, and for what is no POST, the header says nothing")
  func elsewhere() async throws {
    let headers = header("same")
    for unit in ["a", "b"] {
      let reply = try await server.call(
        .trackEvent, as: .key(server.tenant.clientKey),
        body: #"{"event_key":"e","unit_id":"\#(unit)"}"#, headers: headers)
      #expect(reply.status == 202)
    }
    #expect(try await server.call(.listMetrics, headers: headers).status == 200)
  }

  @Test("a process that ended over its work: it is done again, unless it was done")
  func abandoned() async throws {
    let (key, body) = (server.newName("once"), metricBody(server.newName("metric")))
    let first = try await server.call(.createMetric, body: body, headers: header(key))
    /// As if the process had ended before it kept the answer.
    func abandon(_ lease: String) throws {
      _ = try server.stores.texts(
        """
        UPDATE idempotency_keys SET status = NULL, leased_until = \(lease) WHERE key = $1
        RETURNING key
        """, .text(key))
    }
    try abandon("now() + interval '1 minute'")
    let early = try await server.call(.createMetric, body: body, headers: header(key))
    #expect(early.status == 409)
    try abandon("now()")
    let late = try await server.call(.createMetric, body: body, headers: header(key))
    #expect(late.status == 409)
    #expect(late.text("detail")?.contains("took effect") == true)
    #expect(try await server.auditedActions(on: try #require(first.text("id"))).count == 1)

    // As if it had ended before it did anything.
    _ = try server.stores.texts(
      """
      DELETE FROM audit_log WHERE id = (SELECT id FROM idempotency_keys WHERE key = $1)
      RETURNING action
      """, .text(key))
    try await server.call(.deleteMetric, try #require(first.text("id")))
    try abandon("now()")
    let redone = try await server.call(.createMetric, body: body, headers: header(key))
    #expect(redone.status == 201)
    #expect(redone.text("id") != first.text("id"))
  }

  @Test("after 24 hours a key is free, and gone")
  func expiry() async throws {
    let (key, body) = (server.newName("once"), metricBody(server.newName("metric")))
    let first = try await server.call(.createMetric, body: body, headers: header(key))
    _ = try server.stores.texts(
      """
      UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = $1
      RETURNING key
      """, .text(key))
    let again = try await server.call(.createMetric, body: body, headers: header(key))
    #expect(first.status == 201)
    #expect(again.status == 409)
    #expect(again.text("detail")?.contains("metric with this key") == true)
  }
}
