import Synchronization
import Testing

@testable import SplitstreamServer

/// The client against a peer that breaks, hesitates and refuses. Pauses are counted, never slept.
@Suite struct HTTPClientTests {
  private let request = ClientRequest(
    method: .post, target: "/v1/events/batch", body: Array("{}".utf8))
  private static let ok = ScriptedPeer.Answer.json(200, "ok")

  /// Sends one request; the reply's status and the pauses before it.
  private func send(
    _ answers: [ScriptedPeer.Answer], limits: HTTPClient.Limits = HTTPClient.Limits()
  ) throws -> (status: Int, pauses: [Double], requests: [ScriptedPeer.Received]) {
    let peer = ScriptedPeer(answers)
    defer { peer.stop() }
    let pauses = Mutex<[Double]>([])
    let client = HTTPClient(try peer.address, limits: limits) { seconds in
      pauses.withLock { $0.append(seconds) }
    }
    let reply = try client.send(request)
    return (reply.status, pauses.withLock { $0 }, peer.requests)
  }

  @Test func aRequestOnTheWire() throws {
    let peer = ScriptedPeer([Self.ok, Self.ok])
    defer { peer.stop() }
    let url = "http://localhost:\(peer.port)/proxy/"
    let client = HTTPClient(
      try ServerAddress(parsing: url), fields: [("Authorization", "Bearer k")])
    #expect(try client.send(request).body == Array("ok".utf8))
    #expect(try client.send(ClientRequest(method: .get, target: "/x?a=b")).status == 200)
    #expect(
      peer.requests.map(\.head) == [
        "POST /proxy/v1/events/batch HTTP/1.1\r\nHost: localhost:\(peer.port)\r\n"
          + "Authorization: Bearer k\r\nContent-Type: application/json\r\nContent-Length: 2",
        "GET /proxy/x?a=b HTTP/1.1\r\nHost: localhost:\(peer.port)\r\nAuthorization: Bearer k",
      ])
    #expect(peer.requests.map(\.body) == [Array("{}".utf8), []])
    #expect(peer.requests.map(\.connection) == [1, 1])
  }

  @Test func retryAfterIsHonoured() throws {
    let result = try send([
      .json(429, "", "Retry-After: 2\r\n"), .json(503, ""), .json(503, "", "Retry-After: 9999\r\n"),
      Self.ok,
    ])
    #expect(result.status == 200)
    #expect(result.pauses == [2, 0.2, 30])
    #expect(Set(result.requests.map(\.connection)) == [1])
  }

  @Test func brokenConnectionsAreReplaced() throws {
    let half = ScriptedPeer.Answer.raw(
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", closes: true)
    let result = try send([.close, half, Self.ok])
    #expect(result.status == 200)
    #expect(result.requests.map(\.connection) == [1, 2, 3])
    #expect(result.requests.map(\.body) == Array(repeating: Array("{}".utf8), count: 3))
    #expect(result.pauses == [0.1, 0.2])
  }

  @Test func aConnectionClosedWhileIdleCostsNoPause() throws {
    let peer = ScriptedPeer([.json(200, "a"), .close, .json(200, "b")])
    defer { peer.stop() }
    let client = HTTPClient(try peer.address) { seconds in
      Issue.record("paused for \(seconds) s")
    }
    #expect(try client.send(request).body == Array("a".utf8))
    #expect(try client.send(request).body == Array("b".utf8))
    #expect(peer.requests.map(\.connection) == [1, 1, 2])
  }

  @Test func aReplyThatClosesIsKeptAndTheNextConnects() throws {
    let closing = ScriptedPeer.Answer.json(200, "a", "Connection: close\r\n")
    let peer = ScriptedPeer([closing, Self.ok])
    defer { peer.stop() }
    let client = HTTPClient(try peer.address)
    #expect(try client.send(request).body == Array("a".utf8))
    #expect(try client.send(request).body == Array("ok".utf8))
    #expect(peer.requests.map(\.connection) == [1, 2])
  }

  @Test func bytesAfterAReplyAreNoReply() throws {
    let peer = ScriptedPeer([
      .raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 500"), Self.ok,
    ])
    defer { peer.stop() }
    let client = HTTPClient(try peer.address)
    #expect(try client.send(request).body == Array("a".utf8))
    #expect(try client.send(request).body == Array("ok".utf8))
  }

  @Test func otherRefusalsAreRepliesAtOnce() throws {
    let result = try send([.json(422, "{}")])
    #expect(result.status == 422)
    #expect(result.pauses.isEmpty)
  }

  @Test func patienceEnds() throws {
    let peer = ScriptedPeer { _ in .json(503, "", "Retry-After: 30\r\n") }
    defer { peer.stop() }
    let client = HTTPClient(try peer.address) { _ in }
    #expect(try client.send(request).status == 503)
    #expect(peer.requests.count == 5)
  }

  @Test func silenceIsATimeOut() throws {
    let peer = ScriptedPeer { _ in .raw("HTTP/1.1 200 OK\r\n") }
    defer { peer.stop() }
    let client = HTTPClient(
      try peer.address, limits: HTTPClient.Limits(requestSeconds: 0.02), retries: .never)
    #expect(throws: ClientError.interrupted(reason: "time-out")) { try client.send(request) }
  }

  @Test func nobodyThereIsToldAtOnce() throws {
    let peer = ScriptedPeer([])
    let address = try peer.address
    peer.stop()
    let client = HTTPClient(address, retries: .never) { _ in }
    #expect(throws: ClientError.unreachable(url: address.url, reason: "connection refused")) {
      try client.connect()
    }
  }

  @Test func notHTTPIsNotRetried() throws {
    let error = #expect(throws: ClientError.self) {
      try send([.raw("SSH-2.0-OpenSSH\r\n"), Self.ok])
    }
    #expect(error == .malformed(reason: "the first line is not HTTP/1.1"))
  }

  @Test(
    "addresses",
    arguments: [
      ("http://127.0.0.1:8000", "127.0.0.1:8000", ""), ("HTTP://host", "host", ""),
      ("http://host:80/", "host", ""), ("http://[::1]:8000/a/b/", "[::1]:8000", "/a/b"),
    ])
  func address(url: String, authority: String, prefix: String) throws {
    let address = try ServerAddress(parsing: url)
    #expect(address.authority == authority)
    #expect(address.prefix == prefix)
  }

  @Test(
    "wrong addresses",
    arguments: [
      "", "host:8000", "https://host", "http://", "http://:80", "http://host:+80", "http://host:0",
      "http://host:65536", "http://user@host", "http://host/?a", "http://ho st", "http://[::1",
      "http://[::1]80", "http://host\r\nX: y", "http://::1:80",
    ])
  func wrongAddress(url: String) {
    #expect(throws: ClientError.self) { try ServerAddress(parsing: url) }
  }

  @Test func pausesGrowToTheirLimits() {
    let policy = RetryPolicy()
    func pause(_ failures: Int, _ retryAfter: Int? = nil, _ paused: Double = 0) -> Double? {
      policy.pause(failures: failures, retryAfterSeconds: retryAfter, pausedSeconds: paused)
    }
    #expect([1, 2, 3, 6, 7, 1000].map { pause($0) } == [0.1, 0.2, 0.4, 3.2, 5, 5])
    #expect(pause(7, 1) == 5)
    #expect(pause(1, .max) == 30)
    #expect(pause(1, nil, 119.9) == 0.1)
    #expect(pause(1, nil, 119.95) == nil)
    #expect(RetryPolicy.never.pause(failures: 1, retryAfterSeconds: nil, pausedSeconds: 0) == nil)
  }
}
