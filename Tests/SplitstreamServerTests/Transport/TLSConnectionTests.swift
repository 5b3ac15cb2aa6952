import Foundation
import Testing

@testable import SplitstreamServer

/// Through TLS a connection does what it does without: nothing is lost between records, buffers and
/// the loop.
@Suite struct TLSConnectionTests {
  private let host = "Host: a\r\n"
  private let tls: TLSTesting

  init() throws {
    tls = try TLSTesting()
  }

  @Test("a connection serves one request after the other", arguments: ["-tls1_2", "-tls1_3"])
  func keepAlive(option: String) throws {
    let server = try tls.server()
    let tunnel = try tls.tunnel(server.port, [option])
    for number in 1...5 {
      #expect(try tunnel.get("/path?\(number)").text == "\(number)")
      #expect(try tunnel.get("/later?\(number)").text == "\(number)")
    }
    #expect(try tunnel.get("/origin").text == "127.0.0.1 true")
  }

  @Test("pipelined requests are answered in order, those that wait too")
  func pipelining() throws {
    let server = try tls.server()
    let tunnel = try tls.tunnel(server.port)
    let targets = (0..<600).map { ["/path", "/later", "/immediate"][$0 % 3] + "?\($0)" }
    try tunnel.send(targets.map { "GET \($0) HTTP/1.1\r\n\(host)\r\n" }.joined())
    for number in targets.indices { #expect(try tunnel.answer().text == "\(number)") }
  }

  @Test("a request may come in records of one byte")
  func recordsOfOneByte() throws {
    let server = try tls.server()
    let tunnel = try tls.tunnel(server.port)
    let request = "POST /later HTTP/1.1\r\n\(host)Content-Length: 5\r\n\r\nhello"
    for byte in request.utf8 { try tunnel.send([byte]) }
    #expect(try tunnel.answer().text == "hello")
  }

  @Test(
    "bodies of any size, there and back", arguments: [1, 16_000, 16_384, 16_385, 70_000, 1 << 20])
  func bodies(count: Int) throws {
    let server = try tls.server()
    let tunnel = try tls.tunnel(server.port)
    let body = String(repeating: "b", count: count)
    for path in ["/echo", "/later", "/echo"] {
      try tunnel.send(
        "POST \(path) HTTP/1.1\r\n\(host)Content-Length: \(count)\r\n\r\n\(body)")
      #expect(try tunnel.answer().text == body)
    }
  }

  @Test("an answer larger than all buffers arrives whole")
  func largeAnswer() throws {
    let server = try tls.server()
    let tunnel = try tls.tunnel(server.port)
    for _ in 1...2 { #expect(try tunnel.get("/megabytes").body.count == 8 << 20) }
    #expect(try tunnel.get("/path?after").text == "after")
  }

  @Test(
    "many answers that a client does not read are bounded, and all of them come when it does",
    arguments: [1, 250_000])
  func boundedOutput(bytesMax: Int) throws {
    let server = try tls.server { $0.outputBytesMax = bytesMax }
    let tunnel = try tls.tunnel(server.port)
    try tunnel.send(
      String(repeating: "GET /kilobytes HTTP/1.1\r\n\(host)\r\n", count: 100))
    for _ in 1...100 { #expect(try tunnel.answer().body.count == 100 << 10) }
    #expect(try tunnel.get("/path?after").text == "after")
  }

  @Test("everything may be cut into single bytes on the way", arguments: ["-tls1_2", "-tls1_3"])
  func byteByByte(option: String) throws {
    let server = try tls.server()
    let relay = try ByteRelay(to: server.port)
    let tunnel = try tls.tunnel(relay.port, [option])
    #expect(try tunnel.get("/path?whole").text == "whole")
    #expect(try tunnel.get("/later?again").text == "again")
  }

  @Test("curl trusts the certificate by its file, for the names and the address in it")
  func curl() throws {
    let server = try tls.server()
    for host in ["localhost", "127.0.0.1"] {
      let options = ["--connect-to", "localhost:\(server.port):127.0.0.1:\(server.port)"]
      let url = "https://\(host):\(server.port)/path?curl"
      #expect(try tls.curl(options + [url]) == "curl")
    }
    let other = try tls.curl([
      "--resolve", "other:\(server.port):127.0.0.1", "https://other:\(server.port)/path",
    ])
    #expect(other.contains("(60)"), "\(other)")
    // Two megabytes and a half each way, through curl's own buffers.
    let file = try tls.folder.write(String(repeating: "c", count: 5 << 19), to: "body")
    let answer = try tls.curl([
      "-H", "Expect:", "--data-binary", "@\(file)", "https://127.0.0.1:\(server.port)/large",
    ])
    #expect(answer.utf8.count == 5 << 19)
  }

  @Test("an idle connection is closed, and a stop answers what has begun")
  func ends() throws {
    let idle = try tls.server {
      $0.sweepSeconds = 0.01
      $0.idleSecondsMax = 0.05
    }
    #expect(try tls.tunnel(idle.port).ends())

    let server = try tls.server()
    let waiting = try tls.tunnel(server.port)
    try waiting.send("GET /wait?2 HTTP/1.1\r\n\(host)\r\n")
    let other = try tls.tunnel(server.port)
    while try other.get("/waiting").text != "1" {}
    let half = try tls.tunnel(server.port)
    try half.send("POST /release HTTP/1.1\r\n\(host)Content-Length: 5\r\n\r\nhel")
    while try other.get("/connections").text != "3" {}
    #expect(try other.get("/stop").head.contains("\r\nConnection: close\r\n"))
    try half.send("lo")
    #expect(try half.answer().text == "1")
    #expect(try waiting.answer().text == "2")
    #expect(try waiting.ends())
    server.waitUntilStopped()
  }

  @Test("a new certificate is shown to new connections; the open ones go on")
  func swap() throws {
    let server = try tls.server()
    let before = try tls.tunnel(server.port)
    #expect(try before.get("/path?1").text == "1")
    try TLSTesting.write(commonName: "second", to: tls.folder)
    try tls.identity.reload()
    #expect(try before.get("/path?2").text == "2")
    #expect(try tls.connect(server.port, []).contains("subject=CN = second"))

    // What cannot be used changes nothing.
    _ = try tls.folder.write("no key", to: "tls.key")
    #expect(throws: TLSError.self) { try tls.identity.reload() }
    #expect(try before.get("/path?3").text == "3")
    #expect(try tls.tunnel(server.port).get("/path?4").text == "4")
    #expect(try tls.connect(server.port, []).contains("subject=CN = second"))
  }
}
