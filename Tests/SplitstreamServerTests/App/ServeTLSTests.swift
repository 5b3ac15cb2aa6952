import Glibc
import Testing

@testable import SplitstreamServer

/// The program as an operator runs it, with HTTP and HTTPS at once and its certificate replaced
/// under way.
@Suite struct ServeTLSTests {
  private let tls: TLSTesting
  private let tlsPort: Int

  init() throws {
    tls = try TLSTesting()
    tlsPort = try FreePort.take()
  }

  @Test func aHangUpSignalReplacesTheCertificateUnderOpenConnections() throws {
    let server = try ServerProcess(in: tls.folder, settings())
    let plain = try TestClient(port: server.port)
    #expect(try plain.get("/v1/experiments").status == 308)
    #expect(try plain.get("/v1/healthz").status == 200)
    #expect(try plain.get("/v1/readyz").status == 503)
    let open = try tls.tunnel(tlsPort)
    #expect(try open.get("/v1/healthz").status == 200)

    try TLSTesting.write(commonName: "second", to: tls.folder)
    server.signal(SIGHUP)
    server.waitUntilLogged("certificate read again")
    #expect(try tls.connect(tlsPort, []).contains("subject=CN = second"))
    #expect(try open.get("/v1/healthz").status == 200)

    _ = try tls.folder.write("no key", to: "tls.key")
    server.signal(SIGHUP)
    server.waitUntilLogged("the certificate stays as it was")
    #expect(try tls.connect(tlsPort, []).contains("subject=CN = second"))
    #expect(try open.get("/v1/healthz").status == 200)
    #expect(try plain.get("/v1/experiments").status == 308)
    server.signal(SIGTERM)
    #expect(server.wait() == 0)
  }

  @Test("a successor takes the sockets of both ports over")
  func handover() throws {
    var settings = settings()
    settings["server.handover_socket"] = "\"\(tls.folder.path)/handover.sock\""
    let server = try ServerProcess(in: tls.folder, settings)
    let port = server.port
    #expect(try tls.tunnel(tlsPort).get("/v1/healthz").status == 200)
    // It could not bind `tls.port`, which is taken.
    let successor = try ServerProcess(in: tls.folder, settings)
    #expect(successor.port == port)
    #expect(server.wait() == 0)
    for _ in 1...4 {
      #expect(try tls.tunnel(tlsPort).get("/v1/healthz").status == 200)
      #expect(try TestClient(port: port).get("/docs").status == 308)
    }
  }

  @Test("a connection whose handshake does not go on does not hold up a stop")
  func stopWhileArriving() throws {
    var settings = settings()
    settings["server.shutdown_seconds"] = "600"
    settings["limits.handshake_seconds_max"] = "600"
    settings["server.idle_grace_seconds"] = "0"
    let server = try ServerProcess(in: tls.folder, settings)
    _ = server.port
    let silent = try TestClient(port: tlsPort)
    server.signal(SIGTERM)
    #expect(server.wait() == 0)
    withExtendedLifetime(silent) {}
  }

  @Test("the most connections are those of both ports together")
  func connectionsMax() throws {
    var settings = settings()
    settings["server.connections_max"] = "2"
    let server = try ServerProcess(in: tls.folder, settings)
    var plain: TestClient? = try TestClient(port: server.port)
    #expect(try plain?.get("/v1/healthz").status == 200)
    let first = try tls.tunnel(tlsPort)
    #expect(try first.get("/v1/healthz").status == 200)
    let second = try tls.tunnel(tlsPort)
    try second.send("GET /v1/healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    TestProcess.waitUntil("the server is full") {
      // A server that is full closes who is idle for some seconds.
      _ = try? plain?.get("/v1/healthz")
      _ = try? first.get("/v1/healthz")
      return server.lines.contains {
        $0["notice"]?.string?.contains("connectionsMaxReached(2)") == true
      }
    }
    plain = nil
    #expect(try second.answer().status == 200)
  }

  private func settings() -> [String: String] {
    var settings = ServerProcess.settings()
    settings["tls.port"] = "\(tlsPort)"
    settings["tls.certificate_file"] = "\"\(tls.certificateFile)\""
    settings["tls.key_file"] = "\"\(tls.keyFile)\""
    settings["tls.redirect"] = "true"
    return settings
  }
}
