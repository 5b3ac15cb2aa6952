import Foundation
import Glibc
import Testing

@testable import SplitstreamServer

/// A certificate for localhost in a folder of its own, and the programs that speak TLS to it.
struct TLSTesting {
  let folder: TemporaryFolder
  let identity: TLSIdentity
  var certificateFile: String { folder.path + "/tls.crt" }
  var keyFile: String { folder.path + "/tls.key" }

  init(commonName: String = "first") throws {
    folder = try TemporaryFolder()
    try Self.write(commonName: commonName, to: folder)
    identity = try TLSIdentity(
      certificateFile: folder.path + "/tls.crt", keyFile: folder.path + "/tls.key")
  }

  /// Puts a new certificate with a new key into the place of the old ones.
  static func write(commonName: String, to folder: TemporaryFolder) throws {
    let made = try SelfSignedCertificate.make(
      commonName: commonName, names: "DNS:localhost,IP:127.0.0.1", days: 30)
    _ = try folder.write(made.certificate, to: "tls.crt")
    _ = try folder.write(made.key, to: "tls.key")
  }

  func server(_ change: (inout TransportLimits) -> Void = { _ in }) throws -> TestServer {
    var limits = TransportLimits()
    change(&limits)
    return try TestServer(limits, Entrance(tls: identity))
  }

  /// What `openssl s_client` says; it ends by itself after the handshake, or when `input` is sent.
  func connect(_ port: Int, _ options: [String], input: String = "") throws -> String {
    try Self.output(
      of: "openssl",
      ["s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", certificateFile] + options,
      input: input)
  }

  /// A client whose bytes `openssl s_client` carries; it checks the certificate.
  func tunnel(_ port: Int, _ options: [String] = []) throws -> TestClient {
    var ends: [Int32] = [0, 0]
    let code = socketpair(
      AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
    try #require(code == 0)
    let theirs = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
    let tunnel = Tunnel()
    tunnel.process.executableURL = URL(filePath: "/usr/bin/openssl")
    tunnel.process.arguments =
      [
        "s_client", "-quiet", "-connect", "127.0.0.1:\(port)", "-CAfile", certificateFile,
        "-verify_return_error",
      ] + options
    tunnel.process.standardInput = theirs
    tunnel.process.standardOutput = theirs
    tunnel.process.standardError = FileHandle.nullDevice
    try tunnel.process.run()
    try theirs.close()
    return TestClient(fd: ends[0], keeping: tunnel)
  }

  /// A process that ends with its owner.
  private final class Tunnel {
    let process = Process()
    deinit { process.terminate() }
  }

  /// What curl prints, its status first.
  func curl(_ options: [String]) throws -> String {
    try Self.output(
      of: "curl", ["-sS", "--max-time", "20", "--cacert", certificateFile] + options)
  }

  /// What a program prints on both ways, after its end.
  static func output(of program: String, _ arguments: [String], input: String = "") throws
    -> String
  {
    try ProgramRun("/usr/bin/" + program, arguments, input: input).output
  }
}
