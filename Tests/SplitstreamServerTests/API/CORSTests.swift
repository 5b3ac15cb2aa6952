import Testing

@testable import SplitstreamServer

/// Web pages may call what SDKs call, and nothing else.
@Suite struct CORSTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private static let shared: [(path: String, method: String)] = [
    ("/v1/assign", "POST"), ("/v1/assign/batch", "POST"), ("/v1/assignments/unit%201", "GET"),
    ("/v1/events", "POST"), ("/v1/events/batch", "POST"), ("/v1/exposures", "POST"),
  ]

  @Test("a preflight needs no key and allows no credentials", arguments: shared)
  func preflight(path: String, method: String) async throws {
    let reply = try await server.send(
      "OPTIONS", path,
      [
        "Origin: https://shop.example", "Access-Control-Request-Method: \(method)",
        "Access-Control-Request-Headers: authorization,content-type,splitstream-environment",
      ])
    #expect(reply.status == 204)
    #expect(reply.body.isEmpty)
    #expect(reply.header("Access-Control-Allow-Origin") == "*")
    #expect(reply.header("Access-Control-Allow-Methods") == method)
    let headers = reply.header("Access-Control-Allow-Headers")?.split(separator: ", ") ?? []
    #expect(Set(headers) == ["Authorization", "Content-Type", "Splitstream-Environment"])
    #expect(reply.header("Access-Control-Allow-Credentials") == nil)
  }

  @Test("every answer may be read by the page, refusals too", arguments: shared)
  func answers(path: String, method: String) async throws {
    let json = "Content-Type: application/json"
    let key = "Authorization: Bearer \(server.tenant.clientKey)"
    let replies = [
      try await server.send(method, path, [json], method == "POST" ? "{}" : nil),
      try await server.send(method, path, [json, key], method == "POST" ? "{}" : nil),
      try await server.send("PATCH", path, [json, key], "{}"),
      try await server.send(method, path, ["Content-Type: text/plain", key], "{}"),
    ]
    #expect(
      replies.map(\.status) == [401, method == "GET" ? 200 : 422, 405, method == "GET" ? 200 : 415])
    for reply in replies {
      #expect(reply.header("Access-Control-Allow-Origin") == "*")
      #expect(reply.header("Access-Control-Allow-Credentials") == nil)
      // When to try again.
      let exposed = reply.status >= 400 ? "Retry-After" : nil
      #expect(reply.header("Access-Control-Expose-Headers") == exposed)
    }
  }

  @Test("an assignment and its repetition may be read")
  func assignment() async throws {
    let experiment = try await server.running()
    for _ in 0..<4 {
      let reply = try await server.assign("unit", to: experiment)
      #expect(reply.header("Access-Control-Allow-Origin") == "*")
    }
  }

  @Test("a page may read that its body was too large")
  func tooLarge() async throws {
    let reply = try await server.send(
      "POST", "/v1/assign", [], String(repeating: " ", count: (1 << 20) + 1))
    #expect(reply.status == 413)
    #expect(reply.header("Access-Control-Allow-Origin") == "*")
  }

  @Test(
    "no page may call the rest",
    arguments: [
      "/v1/experiments", "/v1/assign/preview", "/v1/assignments/a/b", "/v1/api-keys", "/v1/audit",
      "/v1/healthz", "/v1/experiments/x/overrides/y",
    ])
  func others(path: String) async throws {
    let preflight = try await server.send(
      "OPTIONS", path, ["Origin: https://shop.example", "Access-Control-Request-Method: POST"])
    #expect(preflight.status == 405)
    let answer = try await server.send(
      "GET", path, ["Authorization: Bearer \(server.tenant.key)", "Origin: https://shop.example"])
    for reply in [preflight, answer] {
      #expect(reply.header("Access-Control-Allow-Origin") == nil)
    }
  }
}
