import Testing

@testable import SplitstreamServer

/// What a client sees over a real socket: every request answered once, in order, whatever it does
/// with its end.
@Suite struct ClientConnectionTests {
  private let host = "Host: a\r\n"

  private func post(_ path: String, _ body: String, fields: String = "") -> String {
    "POST \(path) HTTP/1.1\r\n\(host)\(fields)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  @Test("a connection serves one request after the other")
  func keepAlive() throws {
    let server = try TestServer()
    let client = try server.client()
    for number in 1...5 {
      #expect(try client.get("/path?\(number)").text == "\(number)")
      #expect(try client.get("/later?\(number)").text == "\(number)")
      #expect(try client.get("/immediate?\(number)").text == "\(number)")
    }
  }

  @Test("pipelined requests are answered in order, those that wait too")
  func pipelining() throws {
    let server = try TestServer()
    let client = try server.client()
    let targets = (0..<300).map { ["/path", "/later", "/immediate"][$0 % 3] + "?\($0)" }
    try client.send(targets.map { "GET \($0) HTTP/1.1\r\n\(host)\r\n" }.joined())
    for number in targets.indices { #expect(try client.answer().text == "\(number)") }
  }

  @Test("a request may come byte by byte")
  func byteByByte() throws {
    let server = try TestServer()
    let client = try server.client()
    for byte in post("/echo", "hello").utf8 { try client.send([byte]) }
    #expect(try client.answer().text == "hello")
  }

  @Test("bodies of any size within the path's limit", arguments: [1, 8_000, 70_000, 1 << 20])
  func bodies(count: Int) throws {
    let server = try TestServer()
    let client = try server.client()
    let body = String(repeating: "b", count: count)
    for path in ["/echo", "/later"] {
      try client.send(post(path, body))
      #expect(try client.answer().text == body)
      let chunk = "\(String(count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
      try client.send("POST \(path) HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\n\r\n\(chunk)")
      #expect(try client.answer().text == body)
    }
  }

  @Test("a path may take a larger body than others")
  func largerBody() throws {
    let server = try TestServer()
    let client = try server.client()
    let body = String(repeating: "b", count: 3 << 20)
    try client.send(post("/large", body))
    #expect(try client.answer().body.count == 3 << 20)
    try client.send("POST /large HTTP/1.1\r\n\(host)Content-Length: \((3 << 20) + 1)\r\n\r\n")
    #expect(try client.answer().status == 413)
  }

  @Test("a refusal reaches a client that goes on sending, and nothing after it is read")
  func refusalWhileSending() throws {
    var limits = TransportLimits()
    limits.lingerSilenceSecondsMax = 60
    let server = try TestServer(limits)
    let client = try server.client()
    try client.send("POST /echo HTTP/1.1\r\n\(host)Content-Length: 6000000\r\n\r\n")
    try client.send([UInt8](repeating: 0x62, count: 6_000_000))
    try client.send(post("/echo", "hidden"))
    let answer = try client.answer()
    #expect(answer.status == 413 && answer.head.contains("\r\nConnection: close\r\n"))
    #expect(try client.ends())
  }

  @Test("a malformed request is refused after the good ones before it")
  func refusalInOrder() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send(
      "GET /later?1 HTTP/1.1\r\n\(host)\r\nGET /path?2 HTTP/1.1\r\n\(host)\r\nBAD\r\n\r\n")
    #expect(try client.answer().text == "1")
    #expect(try client.answer().text == "2")
    #expect(try client.answer().status == 400)
    #expect(try client.ends())
  }

  @Test("100 (Continue) comes once, before the body, and never for one that is refused")
  func expectContinue() throws {
    let server = try TestServer()
    let client = try server.client()
    let head = "POST /echo HTTP/1.1\r\n\(host)Expect: 100-continue\r\nContent-Length: "
    try client.send(head + "5\r\n\r\n")
    #expect(try client.answer().head == "HTTP/1.1 100 Continue\r\n\r\n")
    try client.send("he")
    try client.send("llo")
    #expect(try client.answer().text == "hello")
    try client.send(head + "5000000\r\n\r\n")
    #expect(try client.answer().status == 413)
  }

  @Test("HEAD is answered without a body, and the connection goes on")
  func head() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("HEAD /path?four HTTP/1.1\r\n\(host)\r\n")
    #expect(try client.answer(isHead: true).head.contains("Content-Length: 4\r\n"))
    #expect(try client.get("/path?next").text == "next")
  }

  @Test("who asks to close, or speaks HTTP/1.0, is closed after the answer")
  func closing() throws {
    let server = try TestServer()
    for request in [
      "GET /path?a HTTP/1.0\r\n\r\n", "GET /later?a HTTP/1.1\r\n\(host)Connection: close\r\n\r\n",
    ] {
      let client = try server.client()
      try client.send(request + request)
      let answer = try client.answer()
      #expect(answer.text == "a" && answer.head.contains("\r\nConnection: close\r\n"))
      #expect(try client.ends())
    }
    let client = try server.client()
    for _ in 1...2 {
      try client.send("GET /path?a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      #expect(try client.answer().head.contains("\r\nConnection: keep-alive\r\n"))
    }
  }

  @Test("a client that has shut down its sending side still gets every answer")
  func halfClosed() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("GET /path?1 HTTP/1.1\r\n\(host)\r\nGET /wait?2 HTTP/1.1\r\n\(host)\r\n")
    try client.send("GET /later?3 HTTP/1.1\r\n\(host)\r\n")
    client.shutdownWrite()
    #expect(try client.answer().text == "1")
    try release(1, at: server)
    #expect(try client.answer().text == "2")
    #expect(try client.answer().text == "3")
    #expect(try client.ends())
  }

  @Test("half a request and an end is refused")
  func incomplete() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("GET /path HTTP/1.1\r\n")
    client.shutdownWrite()
    #expect(try client.answer().status == 400)
    #expect(try client.ends())
    let silent = try server.client()
    silent.shutdownWrite()
    #expect(try silent.ends())
  }

  @Test("a reset while a request is answered touches nobody else")
  func reset() throws {
    let server = try TestServer()
    let client = try server.client()
    try client.send("GET /wait HTTP/1.1\r\n\(host)\r\n")
    let other = try server.client()
    while try other.get("/waiting").text != "1" {}
    client.reset()
    while try other.get("/connections").text != "1" {}
    #expect(try other.get("/release").text == "1")
    #expect(try other.get("/path?still").text == "still")
  }

  @Test("an answer larger than the kernel's buffers arrives whole")
  func largeAnswer() throws {
    let server = try TestServer()
    let client = try server.client()
    client.shrinkReceiveBuffer()
    for _ in 1...2 { #expect(try client.get("/megabytes").body.count == 8 << 20) }
  }

  @Test(
    "many answers that a client does not read are bounded, and all of them come when it does",
    arguments: [1, 250_000, 10_000_000])
  func boundedOutput(bytesMax: Int) throws {
    var limits = TransportLimits()
    limits.outputBytesMax = bytesMax
    let server = try TestServer(limits)
    let client = try server.client()
    client.shrinkReceiveBuffer()
    try client.send(String(repeating: "GET /kilobytes HTTP/1.1\r\n\(host)\r\n", count: 200))
    let other = try server.client()
    while try other.get("/answered").text == "0" {}
    // Not even the kernel's buffers, of at most a few megabytes, take twenty.
    #expect(try Int(other.get("/answered").text).map { $0 < 200 } == true)
    for _ in 1...200 { #expect(try client.answer().body.count == 100 << 10) }
    #expect(try client.get("/path?after").text == "after")
  }

  /// Lets `count` waiting requests go, once they wait.
  private func release(_ count: Int, at server: TestServer) throws {
    let other = try server.client()
    while try other.get("/waiting").text != "\(count)" {}
    #expect(try other.get("/release").text == "\(count)")
  }
}
