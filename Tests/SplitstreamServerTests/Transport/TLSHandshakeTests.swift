import Testing

@testable import SplitstreamServer

/// What the server agrees to with clients of all kinds, as `openssl s_client` sees it.
@Suite struct TLSHandshakeTests {
  private let tls: TLSTesting

  init() throws {
    tls = try TLSTesting()
  }

  @Test("TLS 1.2 and 1.3 are spoken", arguments: ["1.2", "1.3"])
  func versions(version: String) throws {
    let server = try tls.server()
    let option = "-tls" + version.replacing(".", with: "_")
    let said = try tls.connect(server.port, [option, "-verify_return_error"])
    #expect(said.contains("New, TLSv\(version), Cipher is "), "\(said)")
    #expect(said.contains("Verify return code: 0 (ok)"))
  }

  @Test("older versions are refused", arguments: ["-tls1", "-tls1_1"])
  func oldVersions(option: String) throws {
    let server = try tls.server()
    // Level 0: else the client itself would not offer them.
    let said = try tls.connect(server.port, [option, "-cipher", "DEFAULT:@SECLEVEL=0"])
    #expect(said.contains("alert protocol version"), "\(said)")
    #expect(said.contains("Cipher is (NONE)"))
  }

  @Test(
    "TLS 1.2 has forward secrecy and authenticated encryption",
    arguments: [
      ("ECDHE-ECDSA-AES128-GCM-SHA256", true), ("ECDHE-ECDSA-AES256-GCM-SHA384", true),
      ("ECDHE-ECDSA-CHACHA20-POLY1305", true), ("ECDHE-ECDSA-AES128-SHA256", false),
      ("ECDHE-ECDSA-AES256-SHA", false), ("ECDHE-ECDSA-AES128-CCM", false),
      ("AES128-GCM-SHA256", false),
    ])
  func ciphers(cipher: String, isSpoken: Bool) throws {
    let server = try tls.server()
    let said = try tls.connect(server.port, ["-tls1_2", "-cipher", cipher])
    #expect(said.contains("Cipher is \(cipher)") == isSpoken, "\(said)")
    #expect(said.contains("alert handshake failure") == !isSpoken)
  }

  @Test(
    "HTTP/1.1 is the protocol; who speaks others only is told so",
    arguments: [
      ("http/1.1", "ALPN protocol: http/1.1"), ("h2,http/1.1", "ALPN protocol: http/1.1"),
      ("", "No ALPN negotiated"), ("h2", "alert no application protocol"),
      ("http/1.0", "alert no application protocol"),
    ])
  func protocols(offered: String, said: String) throws {
    let server = try tls.server()
    let options = offered.isEmpty ? [] : ["-alpn", offered]
    #expect(try tls.connect(server.port, options).contains(said))
    // Nobody else is touched.
    #expect(try tls.tunnel(server.port).get("/path?fine").text == "fine")
  }

  @Test("a session is resumed, by either version", arguments: ["1.2", "1.3"])
  func resumption(version: String) throws {
    let server = try tls.server()
    let option = "-tls" + version.replacing(".", with: "_")
    let file = tls.folder.path + "/session"
    // In TLS 1.3 tickets come after the handshake: an answer is read before the end.
    let request = "GET /path?x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    let first = try tls.connect(
      server.port, [option, "-ign_eof", "-sess_out", file], input: request)
    #expect(first.contains("New, TLSv\(version)"), "\(first)")
    let second = try tls.connect(
      server.port, [option, "-ign_eof", "-sess_in", file], input: request)
    #expect(second.contains("Reused, TLSv\(version)"), "\(second)")
  }

  @Test("a client cannot renegotiate; its connection goes on or ends, the others go on")
  func renegotiation() throws {
    let server = try tls.server()
    let said = try tls.connect(server.port, ["-tls1_2", "-legacy_renegotiation"], input: "R\n")
    #expect(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "\(said)")
    #expect(try tls.tunnel(server.port).get("/path?fine").text == "fine")
  }

  @Test("the end is announced, so that it is no truncation", arguments: ["-tls1_2", "-tls1_3"])
  func closeNotify(option: String) throws {
    let server = try tls.server()
    let said = try tls.connect(
      server.port, [option, "-ign_eof", "-msg"],
      input: "GET /path?x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(
      said.contains(/<<< TLS 1\.[23], Alert \[length 0002\], warning close_notify/), "\(said)")
    #expect(said.contains("\nclosed\n"))
  }

  @Test("HTTP without TLS is told so in HTTP")
  func plainHTTP() throws {
    let server = try tls.server()
    let client = try server.client()
    try client.send("GET /path HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try client.answer().status == 400)
    #expect(try client.ends())
  }

  @Test("what is no TLS at all ends the connection")
  func noTLS() throws {
    let server = try tls.server()
    let client = try server.client()
    try client.send([UInt8](repeating: 0xff, count: 4_000))
    // An alert may come before the end.
    #expect(throws: TestClient.Failure.self) { try client.answer() }
    #expect(try tls.tunnel(server.port).get("/path?fine").text == "fine")
  }

  @Test("a handshake that does not end is given up")
  func handshakeTime() throws {
    let server = try tls.server {
      $0.sweepSeconds = 0.01
      $0.handshakeSecondsMax = 0.05
    }
    let silent = try server.client()
    #expect(try silent.ends())
    let half = try server.client()
    try half.send(Array(TLSTesting.clientHello(folder: tls.folder).dropLast()))
    #expect(try half.ends())
  }

  @Test("a client that goes away in its handshake touches nobody else")
  func disappearing() throws {
    let server = try tls.server()
    let hello = try TLSTesting.clientHello(folder: tls.folder)
    for count in stride(from: 0, through: hello.count, by: 13) {
      let closing = try server.client()
      try closing.send(Array(hello[..<count]))
      let resetting = try server.client()
      try resetting.send(Array(hello[..<count]))
      resetting.reset()
    }
    let tunnel = try tls.tunnel(server.port)
    while try tunnel.get("/connections").text != "1" {}
  }
}
