import Testing

@testable import SplitstreamServer

/// What all clients may take together, and what one may: each is crossed by one, and everything
/// goes on when there is room again.
@Suite struct ClientUseTests {
  private let host = "Host: a\r\n"

  private func post(_ path: String, _ length: Int) -> String {
    "POST \(path) HTTP/1.1\r\n\(host)Content-Length: \(length)\r\n\r\n"
  }

  @Test("the connections of one address are bounded, and count again when they end")
  func connectionsPerAddress() throws {
    var limits = TransportLimits()
    limits.connectionsPerAddressMax = 2
    let server = try TestServer(limits)
    var first: TestClient? = try server.client()
    let second = try server.client()
    #expect(try first?.get("/path?1").text == "1")
    #expect(try second.get("/path?2").text == "2")
    let refused = try server.client()
    let problem = try refused.answer()
    #expect(problem.status == 503 && problem.head.contains("application/problem+json"))
    #expect(try refused.ends())
    #expect(
      server.noticed == [.connectionsPerAddressMaxReached(2, IPAddress(version4: 0x7f00_0001))])
    first = nil
    while try second.get("/connections").text != "1" {}
    #expect(try server.client().get("/path?3").text == "3")
  }

  @Test("who has sent before it is refused still learns why")
  func refusedRequest() throws {
    var limits = TransportLimits()
    limits.connectionsPerAddressMax = 1
    let server = try TestServer(limits)
    let first = try server.client()
    // While the loop is busy with the first, the second's request is there before it is accepted.
    try first.send("GET /release HTTP/1.1\r\n\(host)\r\n")
    for _ in 1...20 {
      let second = try server.client()
      try second.send("GET /path HTTP/1.1\r\n\(host)\r\n")
      #expect(try second.answer().status == 503)
    }
  }

  @Test(
    "connections are counted over all servers, and whichever goes makes room for those who wait")
  func connectionsTogether() throws {
    var limits = TransportLimits()
    limits.connectionsMax = 2
    let use = ClientUse()
    let servers = try (0..<3).map { _ in try TestServer(limits, use: use) }
    var first: TestClient? = try servers[0].client()
    let second = try servers[1].client()
    #expect(try first?.get("/path?1").text == "1")
    #expect(try second.get("/path?2").text == "2")
    let third = try servers[2].client()
    try third.send("GET /path?3 HTTP/1.1\r\n\(host)\r\n")
    while !servers[2].noticed.contains(.connectionsMaxReached(2)) { _ = try second.get("/path") }
    #expect(use.connectionCount == 2)
    first = nil
    #expect(try third.answer().text == "3")
    #expect(use.connectionCount == 2)
  }

  @Test("an IPv4 address is one client, an IPv6 client has a /64")
  func addresses() {
    let use = ClientUse()
    let four = (IPAddress(version4: 1), IPAddress(version4: 2))
    #expect(use.enter(four.0, max: 1) && !use.enter(four.0, max: 1) && use.enter(four.1, max: 1))
    let six = (IPAddress(high: 7, low: 1), IPAddress(high: 7, low: 2), IPAddress(high: 8, low: 1))
    #expect(use.enter(six.0, max: 1) && !use.enter(six.1, max: 1) && use.enter(six.2, max: 1))
    use.leave(six.0)
    #expect(use.enter(six.1, max: 1) && !use.enter(six.0, max: 1))
  }

  @Test("a connection ends with the answer to its last request")
  func requestsPerConnection() throws {
    var limits = TransportLimits()
    limits.requestsPerConnectionMax = 3
    let server = try TestServer(limits)
    let client = try server.client()
    for number in 1...2 {
      #expect(try !client.get("/path?\(number)").head.contains("Connection: close"))
    }
    try client.send(String(repeating: "GET /later?3 HTTP/1.1\r\n\(host)\r\n", count: 2))
    let last = try client.answer()
    #expect(last.text == "3" && last.head.contains("\r\nConnection: close\r\n"))
    #expect(try client.ends())
  }

  @Test("bodies that are on their way are bounded together; what was there before is not lost")
  func bodiesReceived() throws {
    let (server, watcher) = try serverWithRoom(for: 100_000)
    defer { withExtendedLifetime(server) {} }
    let first = try server.client()
    try first.send(post("/echo", 90_000) + String(repeating: "a", count: 80_000))
    while try watcher.get("/held").text != "80000" {}

    for framing in ["Content-Length: 60000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\nea60\r\n"] {
      let second = try server.client()
      try second.send("POST /echo HTTP/1.1\r\n\(host)\(framing)")
      try second.send([UInt8](repeating: 0x62, count: 50_000))
      let refusal = try second.answer()
      #expect(refusal.status == 503 && refusal.head.contains("\r\nConnection: close\r\n"))
    }
    // A body that needs no waiting holds nothing.
    try watcher.send(post("/echo", 5) + "hello")
    #expect(try watcher.answer().text == "hello")

    try first.send([UInt8](repeating: 0x61, count: 10_000))
    #expect(try first.answer().body.count == 90_000)
    while try watcher.get("/held").text != "0" {}
    let third = try server.client()
    try third.send(post("/echo", 100_000) + String(repeating: "c", count: 100_000))
    #expect(try third.answer().body.count == 100_000)
  }

  @Test("a body counts until its answer, also when its client has gone")
  func bodiesAnswered() throws {
    let (server, watcher) = try serverWithRoom(for: 100)
    defer { withExtendedLifetime(server) {} }
    let first = try server.client()
    try first.send(post("/wait", 60) + String(repeating: "a", count: 60))
    while try watcher.get("/held").text != "60" {}
    let second = try server.client()
    try second.send(post("/wait", 60) + String(repeating: "b", count: 60))
    let refusal = try second.answer()
    // Its body was read whole: the connection goes on.
    #expect(refusal.status == 503 && !refusal.head.contains("Connection: close"))
    first.reset()
    while try watcher.get("/connections").text != "2" {}
    #expect(try watcher.get("/held").text == "60")
    #expect(try watcher.get("/release").text == "1")
    while try watcher.get("/held").text != "0" {}
    try second.send(post("/later", 60) + String(repeating: "c", count: 60))
    #expect(try second.answer().body.count == 60)
  }

  @Test("a body that is given up counts no longer")
  func bodiesGivenUp() throws {
    let (server, watcher) = try serverWithRoom(for: 100)
    defer { withExtendedLifetime(server) {} }
    let client = try server.client()
    try client.send(post("/echo", 60) + "half")
    while try watcher.get("/held").text != "4" {}
    client.reset()
    while try watcher.get("/held").text != "0" {}
  }

  private func serverWithRoom(for bytes: Int) throws -> (TestServer, TestClient) {
    var limits = TransportLimits()
    limits.bodyBytesInFlightMax = bytes
    let server = try TestServer(limits)
    return (server, try server.client())
  }
}
