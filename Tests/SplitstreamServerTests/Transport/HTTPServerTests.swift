import Testing

@testable import SplitstreamServer

/// The server's own limits and its end. Times are made short, and the tests wait for what happens,
/// never for the time.
@Suite struct HTTPServerTests {
  private let host = "Host: a\r\n"

  private func limits(_ change: (inout TransportLimits) -> Void) -> TransportLimits {
    var limits = TransportLimits()
    limits.sweepSeconds = 0.01
    change(&limits)
    return limits
  }

  @Test("a head that does not end is refused with 408")
  func headTime() throws {
    let server = try TestServer(limits { $0.headSecondsMax = 0.05 })
    let client = try server.client()
    #expect(try client.get("/path?fine").text == "fine")
    try client.send("GET / HTTP/1.1\r\n")
    #expect(try client.answer().status == 408)
    #expect(try client.ends())
  }

  @Test("a body that comes too slowly is refused with 408")
  func bodyTime() throws {
    let server = try TestServer(limits { $0.bodySecondsMax = 0.05 })
    let client = try server.client()
    try client.send("POST /echo HTTP/1.1\r\n\(host)Content-Length: 9\r\n\r\nabc")
    #expect(try client.answer().status == 408)
    #expect(try client.ends())
  }

  @Test("an idle connection is closed without a word, new or used")
  func idleTime() throws {
    let server = try TestServer(limits { $0.idleSecondsMax = 0.05 })
    #expect(try server.client().ends())
    let patient = try TestServer(limits { $0.idleSecondsMax = 2 })
    let client = try patient.client()
    #expect(try client.get("/path?a").text == "a")
    #expect(try client.ends())
  }

  @Test("a client that does not take its answer is given up")
  func writeTime() throws {
    let server = try TestServer(
      limits {
        $0.writeSecondsMax = 0.05
        $0.bytesPerSecondMin = 1e12
      })
    let client = try server.client()
    try client.send("GET /megabytes HTTP/1.1\r\n\(host)\r\n")
    let other = try server.client()
    while try other.get("/connections").text != "1" {}
  }

  @Test("the times of a slow transfer grow with its bytes")
  func pace() {
    var pace = Pace(0, since: 1_000_000_000)
    #expect(!pace.isTooSlow(30, 1_000, now: 31_000_000_000))
    #expect(pace.isTooSlow(30, 1_000, now: 31_000_000_001))
    pace.bytes = 40_000
    #expect(!pace.isTooSlow(30, 1_000, now: 41_000_000_000))
    #expect(pace.isTooSlow(30, 1_000, now: 41_000_000_001))
    pace.enter(0, now: 50_000_000_000)
    #expect(pace.bytes == 40_000)
    pace.enter(1, now: 50_000_000_000)
    #expect(pace.bytes == 0 && pace.seconds(now: 52_000_000_000) == 2)
  }

  @Test("who keeps sending after the last answer is cut off")
  func lingerTime() throws {
    let server = try TestServer(limits { $0.lingerSilenceSecondsMax = 0.05 })
    let client = try server.client()
    try client.send("BAD\r\n")
    #expect(try client.answer().status == 400)
    #expect(try client.ends())
    // The client's side stays open, and yet the connection is gone.
    let other = try server.client()
    while try other.get("/connections").text != "1" {}
  }

  @Test("beyond the most connections a client waits until there is room")
  func connectionsMax() throws {
    let server = try TestServer(limits { $0.connectionsMax = 2 })
    var first: TestClient? = try server.client()
    let second = try server.client()
    #expect(try first?.get("/path?1").text == "1")
    #expect(try second.get("/path?2").text == "2")
    let third = try server.client()
    try third.send("GET /path?3 HTTP/1.1\r\n\(host)\r\n")
    while !server.noticed.contains(.connectionsMaxReached(2)) { _ = try second.get("/path") }
    first = nil
    #expect(try third.answer().text == "3")
  }

  @Test("connections come and go in any order")
  func anyOrder() throws {
    let server = try TestServer()
    let watcher = try server.client()
    var random = SplitMix64(seed: 11)
    var clients: [TestClient] = []
    for _ in 0..<200 {
      if clients.count < 8 || Bool.random(using: &random) {
        clients.append(try server.client())
        #expect(try clients[clients.count - 1].get("/path?new").text == "new")
      } else {
        clients.remove(at: Int.random(in: 0..<clients.count, using: &random))
      }
    }
    for client in clients { #expect(try client.get("/path?old").text == "old") }
    while try watcher.get("/connections").text != "\(clients.count + 1)" {}
    clients = []
    while try watcher.get("/connections").text != "1" {}
  }

  @Test("while full, idle connections make room sooner")
  func fullMakesRoom() throws {
    let server = try TestServer(
      limits {
        $0.connectionsMax = 1
        $0.idleSecondsMaxWhenFull = 2
      })
    let idle = try server.client()
    #expect(try idle.get("/path?1").text == "1")
    let waiting = try server.client()
    #expect(try waiting.get("/path?2").text == "2")
    #expect(try idle.ends())
  }

  @Test("a request that reaches a stopping server on an idle connection is answered, as the last")
  func requestDuringStop() throws {
    let server = try TestServer(limits { $0.idleSecondsMaxWhenStopping = 60 })
    let fresh = try server.client()
    let used = try server.client()
    #expect(try used.get("/path?1").text == "1")
    let other = try server.client()
    while try other.get("/connections").text != "3" {}
    #expect(try other.get("/stop").status == 200)
    for client in [fresh, used] {
      let answer = try client.get("/path?2")
      #expect(answer.text == "2" && answer.head.contains("\r\nConnection: close\r\n"))
      #expect(try client.ends())
      client.reset()
    }
    other.reset()
    server.waitUntilStopped()
  }

  @Test("a stop takes those who wait in the queue, also more than a turn would")
  func queueDuringStop() throws {
    let server = try TestServer(
      limits {
        $0.acceptsPerTurnMax = 1
        $0.idleSecondsMaxWhenStopping = 60
      })
    let first = try server.client()
    let stop = "GET /stop HTTP/1.1\r\n\(host)\r\n"
    let waiting = try (0..<50).map { _ in try server.client() }
    try first.send(stop)
    for client in waiting { #expect(try client.get("/path?late").text == "late") }
  }

  @Test("a stop answers what has begun, closes what is idle, and ends")
  func gracefulStop() throws {
    let server = try TestServer(limits { _ in })
    let idle = try server.client()
    #expect(try idle.get("/path?1").text == "1")
    let waiting = try server.client()
    try waiting.send("GET /wait?2 HTTP/1.1\r\n\(host)\r\n")
    let half = try server.client()
    try half.send("POST /release HTTP/1.1\r\n\(host)Content-Length: 5\r\n\r\nhel")
    let other = try server.client()
    while try other.get("/waiting").text != "1" {}
    while try other.get("/connections").text != "4" {}

    #expect(try other.get("/stop").head.contains("\r\nConnection: close\r\n"))
    #expect(throws: TestClient.Failure.self) { try server.client() }
    #expect(try idle.ends())
    try half.send("lo")
    #expect(try half.answer().text == "1")
    let answer = try waiting.answer()
    #expect(answer.text == "2" && answer.head.contains("\r\nConnection: close\r\n"))
    waiting.reset()
    other.reset()
    half.reset()
    server.waitUntilStopped()
  }

  @Test("a port is shared by the loops of one call and by nobody else")
  func sharedPort() throws {
    let listeners = try Listener.bind(host: "127.0.0.1", port: 0, count: 3)
    defer { for listener in listeners { listener.close() } }
    #expect(Set(listeners.map(\.port)).count == 1)
    #expect(throws: ListenerError.self) {
      try Listener.bind(host: "127.0.0.1", port: listeners[0].port)
    }
  }

  @Test("addresses: names and both families", arguments: ["localhost", "127.0.0.1", "0.0.0.0"])
  func addresses(host: String) throws {
    let listener = try Listener.bind(host: host, port: 0)[0]
    defer { listener.close() }
    #expect(listener.port > 0)
    #expect(throws: ListenerError.self) { try Listener.bind(host: "no such host", port: 0) }
  }
}
