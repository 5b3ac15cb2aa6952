import Glibc
import Testing

@testable import SplitstreamServer

/// Every limit on clients is reached through the configuration: a server with the smallest ones
/// serves what is within them and refuses one more.
@Suite struct LimitTests {
  @Test("each key of the transport reaches its limit")
  func mapping() {
    var configuration = Configuration()
    configuration.server.loops = 2
    configuration.server.connectionsMax = 30
    configuration.server.connectionsPerAddressMax = 1
    configuration.server.idleGraceSeconds = 2
    configuration.limits.requestLineBytesMax = 3
    configuration.limits.headBytesMax = 4
    configuration.limits.headerCountMax = 5
    configuration.limits.bodyBytesMax = 6
    configuration.limits.batchBodyBytesMax = 7
    configuration.limits.bodyBytesInFlightMax = 8
    configuration.limits.requestsPerConnectionMax = 9
    configuration.limits.replyBytesMax = 10
    configuration.limits.headSecondsMax = 11
    configuration.limits.bodySecondsMax = 12
    configuration.limits.idleSecondsMax = 13
    configuration.limits.writeSecondsMax = 14
    configuration.limits.bytesPerSecondMin = 16
    let limits = TransportLimits(configuration)
    #expect(limits.connectionsMax == 30 && limits.connectionsPerAddressMax == 1)
    #expect(limits.idleSecondsMaxWhenStopping == 2)
    #expect(limits.request.requestLineBytesMax == 3 && limits.request.headBytesMax == 4)
    #expect(limits.request.fieldCountMax == 5 && limits.bodyBytesInFlightMax == 8)
    #expect(limits.requestsPerConnectionMax == 9 && limits.outputBytesMax == 10)
    #expect(limits.headSecondsMax == 11 && limits.bodySecondsMax == 12)
    #expect(limits.idleSecondsMax == 13 && limits.writeSecondsMax == 14)
    #expect(limits.bytesPerSecondMin == 16)
    // A single body of the largest size must fit.
    configuration.limits.batchBodyBytesMax = 17
    #expect(TransportLimits(configuration).bodyBytesInFlightMax == 17)
  }

  @Test("sizes: one byte, field, level or request more is refused")
  func sizes() async throws {
    let server = try RunningServer { configuration in
      configuration.limits.requestLineBytesMax = 8_000
      configuration.limits.headBytesMax = 10_000
      configuration.limits.headerCountMax = 16
      configuration.limits.bodyBytesMax = 65_536
      configuration.limits.batchBodyBytesMax = 70_000
      configuration.limits.jsonDepthMax = 32
      configuration.limits.requestsPerConnectionMax = 2
    }
    defer { server.stop() }
    func status(
      _ method: String, _ target: String, _ fields: [String] = [], _ body: String? = nil
    ) async throws -> Int {
      try await server.send(method, target, fields, body).status
    }
    // "GET /… HTTP/1.1" and its CR LF.
    func path(_ lineBytes: Int) -> String { "/" + String(repeating: "a", count: lineBytes - 16) }
    #expect(try await status("GET", path(8_000)) == 404)
    #expect(try await status("GET", path(8_001)) == 414)
    #expect(
      try await status("GET", "/v1/healthz", ["A: " + String(repeating: "b", count: 9_900)]) == 200)
    #expect(
      try await status("GET", "/v1/healthz", ["A: " + String(repeating: "b", count: 10_000)]) == 431
    )
    // Host is one of them.
    #expect(try await status("GET", "/v1/healthz", .init(repeating: "A: b", count: 15)) == 200)
    #expect(try await status("GET", "/v1/healthz", .init(repeating: "A: b", count: 16)) == 431)

    let key = "Authorization: Bearer \(server.tenant.key)"
    func body(_ bytes: Int) -> String { "\"" + String(repeating: "c", count: bytes - 2) + "\"" }
    #expect(try await status("POST", "/v1/metrics", [key], body(65_536)) == 422)
    #expect(try await status("POST", "/v1/metrics", [key], body(65_537)) == 413)
    #expect(try await status("POST", "/v1/events/batch", [key], body(70_000)) == 422)
    #expect(try await status("POST", "/v1/events/batch", [key], body(70_001)) == 413)
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(try await status("POST", "/v1/metrics", [key], nested(32)) == 422)
    #expect(try await status("POST", "/v1/metrics", [key], nested(33)) == 400)

    let client = try TestClient(port: server.port)
    #expect(try !client.get("/v1/healthz").head.contains("Connection: close"))
    #expect(try client.get("/v1/healthz").head.contains("Connection: close"))
  }

  @Test("the connections of an address are counted over all loops")
  func connectionsPerAddress() throws {
    let server = try RunningServer {
      $0.server.loops = 4
      $0.server.connectionsPerAddressMax = 8
    }
    defer { server.stop() }
    let clients = try (0..<8).map { _ in try TestClient(port: server.port) }
    for client in clients { #expect(try client.get("/v1/healthz").status == 200) }
    for _ in 1...8 {
      let refused = try TestClient(port: server.port)
      #expect(try refused.answer().status == 503)
      #expect(try refused.ends())
    }
    for client in clients { #expect(try client.get("/v1/healthz").status == 200) }
  }

  @Test("times: who takes longer is refused or closed")
  func times() async throws {
    let server = try RunningServer { configuration in
      configuration.limits.headSecondsMax = 1
      configuration.limits.bodySecondsMax = 1
      configuration.limits.idleSecondsMax = 1
      configuration.limits.bytesPerSecondMin = 1_000_000_000
    }
    defer { server.stop() }
    let (head, body) = (
      "GET / HTTP/1.1\r\n",
      "POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"
    )
    for begun in [head, body] {
      try await eventually("408 for \(begun)") {
        // On a slow machine the connection may have been idle for too long before it begins.
        let client = try TestClient(port: server.port)
        try? client.send(begun)
        return (try? client.answer().status) == 408
      }
    }
    #expect(try TestClient(port: server.port).ends())
  }

  @Test("who does not take its answers is given up, and holds no more than is allowed until then")
  func slowReader() throws {
    let server = try RunningServer { configuration in
      configuration.server.connectionsPerAddressMax = 1
      configuration.limits.replyBytesMax = 1_024
      configuration.limits.writeSecondsMax = 1
      configuration.limits.bytesPerSecondMin = 1_000_000_000
    }
    defer { server.stop() }
    let slow = try TestClient(port: server.port)
    slow.shrinkReceiveBuffer()
    // Answers of far more than the kernel holds on the way: the server stops reading requests.
    let requests = String(repeating: "GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n", count: 5_000)
    try slow.send(requests)
    TestProcess.waitUntil("the slow reader is given up") {
      (try? TestClient(port: server.port).get("/v1/healthz").status) == 200
    }
    #expect(throws: TestClient.Failure.self) {
      for _ in 1...5_000 { _ = try slow.answer() }
    }
  }

  @Test("bodies on their way are bounded together; what was there before is answered")
  func bodiesInFlight() async throws {
    let mebibyte = 1 << 20
    let server = try RunningServer { configuration in
      configuration.limits.bodyBytesMax = mebibyte
      configuration.limits.batchBodyBytesMax = mebibyte
      configuration.limits.bodyBytesInFlightMax = mebibyte
    }
    defer { server.stop() }
    let head = "POST /v1/metrics HTTP/1.1\r\nHost: a\r\nContent-Length: \(mebibyte)\r\n\r\n"
    func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }
    // A small body may be heard before all of the large one is: then there is room for it, and it
    // ends unanswered. At worst it keeps out the large one; then all is done once more.
    try await eventually("there is no room beside the first's body") {
      let first = try TestClient(port: server.port)
      try first.send(head + spaces(mebibyte - 100))
      for _ in 0..<100 {
        let second = try TestClient(port: server.port)
        try second.send(head + spaces(200))
        second.shutdownWrite()
        if (try? second.answer().status) == 503 {
          try first.send(spaces(100))
          return try first.answer().status == 401
        }
        try await Task.sleep(for: .milliseconds(20))
      }
      return false
    }
  }

  @Test("a body of wrong members gets a problem that does not grow with it")
  func manyMistakes() async throws {
    let server = try RunningServer.shared()
    let members = (0..<100).map { "\"wrong\($0)\":\($0)" }
    let exactly = try await server.call(
      .createEnvironment, body: "{\(members[..<98].joined(separator: ","))}")
    // Two required ones are missing, too.
    #expect(exactly.status == 422 && exactly.pointers.count == 100)
    #expect(exactly.text("detail")?.hasPrefix("100 fields are wrong") == true)
    let more = try await server.call(
      .createEnvironment, body: "{\((0..<50_000).map { "\"w\($0)\":1" }.joined(separator: ","))}")
    #expect(more.status == 422 && more.pointers.count == 100 && more.body.count < 10_000)
    #expect(more.text("detail")?.hasPrefix("More than 100 fields are wrong") == true)
    let long = String(repeating: "é", count: 100_000)
    let named = try await server.call(.createEnvironment, body: "{\"\(long)\":1}")
    #expect(named.status == 422 && named.body.count < 2_000)
    #expect(named.pointers.contains { $0.hasPrefix("/éé") && $0.hasSuffix("é…") })
  }

  @Test("without a descriptor left nobody is accepted, and all are when there is one again")
  func descriptors() throws {
    let folder = try TemporaryFolder()
    let server = try ServerProcess(in: folder, ServerProcess.settings(), descriptorsMax: 64)
    let port = server.port
    var clients: [TestClient] = []
    func isExhausted() -> Bool {
      server.lines.contains { $0["notice"]?.string?.contains("acceptFailed") == true }
    }
    // Those beyond the limit wait in the kernel's queue, connected.
    TestProcess.waitUntil("the descriptors are used up") {
      if clients.count < 200, let client = try? TestClient(port: port) { clients.append(client) }
      // A server that is full closes who is idle for some seconds.
      _ = try? clients.first?.get("/v1/healthz")
      return isExhausted()
    }
    #expect(clients.count > 20)
    #expect(try clients[0].get("/v1/healthz").status == 200)
    let late = try TestClient(port: port)
    clients = []
    #expect(try late.get("/v1/healthz").status == 200)
    // It rested while there was none: a spinning loop would say so thousands of times.
    #expect(server.lines.count { $0["notice"] != nil } < 100)
    server.signal(SIGTERM)
    #expect(server.wait() == 0)
  }
}
