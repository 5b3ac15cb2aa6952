import Foundation
import Testing

@testable import SplitstreamServer

/// The program as an operator runs it, with HTTP and HTTPS at once and its certificate replaced
/// under way.
@Suite struct ServeTLSTests {
  @Test func aHangUpSignalReplacesTheCertificateUnderOpenConnections() throws {
    let tls = try TLSTesting()
    let stores = try TestStores.make()
    try stores.migrate()
    let (port, tlsPort) = try Self.freePorts()
    let file = try tls.folder.write(
      """
      [server]
      port = \(port)
      loops = 2
      [tls]
      port = \(tlsPort)
      certificate_file = "\(tls.certificateFile)"
      key_file = "\(tls.keyFile)"
      redirect = true
      [postgres]
      url = "\(stores.postgresURL)"
      [redis]
      url = "\(stores.redisURL)"
      [security]
      pepper = "\(Pepper.random())"
      """, to: "splitstream.toml")
    let log = tls.folder.path + "/log"
    let process = try ServerProcess(["--config", file], log: log)
    process.waitUntilLogged("\"serving\"")

    let plain = try TestClient(port: port)
    #expect(try plain.get("/v1/healthz").status == 308)
    let open = try tls.tunnel(tlsPort)
    #expect(try open.get("/v1/healthz").status == 200)

    try TLSTesting.write(commonName: "second", to: tls.folder)
    process.signal(SIGHUP)
    process.waitUntilLogged("certificate read again")
    #expect(try tls.connect(tlsPort, []).contains("subject=CN = second"))
    #expect(try open.get("/v1/healthz").status == 200)

    _ = try tls.folder.write("no key", to: "tls.key")
    process.signal(SIGHUP)
    process.waitUntilLogged("the certificate stays as it was")
    #expect(try tls.connect(tlsPort, []).contains("subject=CN = second"))
    #expect(try open.get("/v1/healthz").status == 200)
    #expect(try plain.get("/v1/healthz").status == 308)
    #expect(process.terminate() == 0)
  }

  /// Two ports that nobody has at present.
  private static func freePorts() throws -> (Int, Int) {
    let listeners = try (0..<2).map { _ in try Listener.bind(host: "127.0.0.1", port: 0)[0] }
    defer { for listener in listeners { listener.close() } }
    return (listeners[0].port, listeners[1].port)
  }
}

/// `splitstream-server`, as it is built beside the tests, with its log in a file.
final class ServerProcess {
  private let process = Process()
  private let log: String

  init(_ arguments: [String], log: String) throws {
    self.log = log
    let binaries = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
    process.executableURL = binaries.appending(path: "splitstream-server")
    process.arguments = arguments
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    process.standardError = try FileHandle(forWritingTo: URL(filePath: log))
    process.standardOutput = FileHandle.nullDevice
    try process.run()
  }

  deinit { process.terminate() }

  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  func waitUntilLogged(_ text: String) {
    TestProcess.waitUntil("the log says \(text)") {
      (try? String(contentsOfFile: log, encoding: .utf8))?.contains(text) == true
    }
  }

  /// The exit status.
  func terminate() -> Int32 {
    process.terminate()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
