import Testing

@testable import SplitstreamServer

/// What holds for every path: problems, methods, media types, HEAD.
@Suite struct ProtocolTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func problem(_ reply: APIReply, _ sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    let violations = try OpenAPIDocument().checkProblem(
      status: reply.status, contentType: reply.header("Content-Type"), body: reply.body)
    #expect(violations.isEmpty, sourceLocation: sourceLocation)
  }

  @Test("health needs no key")
  func health() async throws {
    let reply = try await server.call(.healthz, as: .none)
    #expect(reply.status == 200)
    #expect(reply.text("version") == Version.current)
  }

  @Test(
    "what is at no path is a problem",
    arguments: ["/", "/v1", "/v1/nothing", "/v1/assign/", "/v1/experiments/1/2/3"])
  func unknownPath(path: String) async throws {
    let reply = try await server.send("GET", path)
    #expect(reply.status == 404)
    #expect(reply.text("instance") == path)
    try problem(reply)
  }

  @Test("a method that a path has not is told those it has")
  func unknownMethod() async throws {
    let reply = try await server.send("DELETE", "/v1/experiments")
    #expect(reply.status == 405)
    #expect(reply.header("Allow") == "GET, HEAD, POST")
    try problem(reply)
  }

  @Test("HEAD is GET without the body")
  func head() async throws {
    let key = "Authorization: Bearer \(server.tenant.key)"
    for path in ["/v1/healthz", "/v1/workspaces/current"] {
      let get = try await server.send("GET", path, [key])
      let head = try await server.send("HEAD", path, [key])
      #expect(head.status == get.status)
      #expect(head.header("Content-Type") == get.header("Content-Type"))
      #expect(head.header("Content-Length") == "\(get.body.count)")
      #expect(head.body.isEmpty)
    }
    #expect(try await server.send("HEAD", "/v1/workspaces/current").status == 401)
  }

  @Test("a path that cannot be decoded is a 400")
  func malformedPath() async throws {
    let key = "Authorization: Bearer \(server.tenant.key)"
    for path in ["/v1/experiments/%zz", "/v1/experiments/%00", "/v1/experiments/%ff"] {
      let reply = try await server.send("GET", path, [key])
      #expect(reply.status == 400)
      try problem(reply)
    }
  }

  @Test("a query that cannot be decoded is a 400")
  func malformedQuery() async throws {
    #expect(try await server.call(.listMetrics, query: "limit=%zz").status == 400)
  }

  /// Those with a JSON body, and the fields that they need.
  private static let writes: [Operation] = [
    .createEnvironment, .createMetric, .createExperiment, .assign, .assignBatch,
    .previewAssignment, .createMutexGroup, .logExposure, .logExposureBatch,
    .trackEvent,
    .trackEventBatch, .createApiKey,
  ]

  @Test("what is not JSON is a 400", arguments: writes)
  func malformedJSON(operation: Operation) async throws {
    let bodies = [
      "", "{", "nonsense", #"{"a":1,"a":2}"#, "{\"a\":1,}", #"{"a":"\ud800"}"#, #"{"a":"\u0000"}"#,
      "\u{FEFF}{}",
    ]
    for body in bodies {
      let reply = try await server.call(operation, body: body)
      #expect(reply.status == 400, "\(body)")
      #expect(reply.kind == "malformed-json")
    }
  }

  @Test("JSON that is no object is a 422", arguments: writes)
  func noObject(operation: Operation) async throws {
    for body in ["[]", "1", "null", "\"a\""] {
      #expect(try await server.call(operation, body: body).status == 422, "\(body)")
    }
  }

  @Test("another media type is a 415", arguments: writes)
  func mediaType(operation: Operation) async throws {
    for type in [
      "text/plain", "application/x-www-form-urlencoded", "application/jsonp",
      "application/\u{212A}son", "",
    ] {
      let reply = try await server.call(operation, body: "{}", headers: ["Content-Type: \(type)"])
      #expect(reply.status == 415, "\(type)")
    }
  }

  @Test("JSON may say its charset, in any case")
  func mediaTypeParameters() async throws {
    for type in ["application/json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8"] {
      #expect(
        try await server.call(.createMetric, body: "{}", headers: ["Content-Type: \(type)"]).status
          == 422)
    }
  }

  @Test("a body beyond the limit is a 413, with or without a key", arguments: writes)
  func tooLarge(operation: Operation) async throws {
    let large = operation == .trackEventBatch || operation == .logExposureBatch ? 9 << 20 : 1 << 20
    let body = #"{"a":"\#(String(repeating: "x", count: large))"}"#
    #expect(try await server.call(operation, body: body).status == 413)
    #expect(try await server.call(operation, as: .none, body: body).status == 413)
  }

  @Test(
    "a body that is announced as too large is a 413 before it comes, where none is expected too",
    arguments: Operation.allCases)
  func tooLargeLength(operation: SplitstreamServer.Operation) async throws {
    let reply = try await server.call(operation, headers: ["Content-Length: \(1 << 30)"])
    #expect(reply.status == 413 && reply.kind == "content-too-large")
    #expect(reply.header("Connection") == "close")
  }
}
