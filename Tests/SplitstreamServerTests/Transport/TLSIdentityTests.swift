import Testing

@testable import SplitstreamServer

/// A certificate and a key are taken together or refused with the file that is to be mended.
@Suite struct TLSIdentityTests {
  private let tls: TLSTesting

  init() throws {
    tls = try TLSTesting()
  }

  private func error(certificate: String, key: String) throws -> TLSError {
    try #require(throws: TLSError.self) {
      try TLSIdentity(certificateFile: certificate, keyFile: key)
    }
  }

  @Test func aKeyOfAnotherCertificateIsRefused() throws {
    let other = try TLSTesting()
    let error = try error(certificate: tls.certificateFile, key: other.keyFile)
    #expect(error.blames == .key)
    #expect(error.description.contains("it is not the private key of the certificate in"))
  }

  @Test func unreadableFilesAreNamed() throws {
    let missing = tls.folder.path + "/missing"
    let noKey = try error(certificate: tls.certificateFile, key: missing)
    #expect(noKey.blames == .key && noKey.description.contains("\(missing): No such file"))
    let noCertificate = try error(certificate: missing, key: tls.keyFile)
    #expect(
      noCertificate.blames == .certificate
        && noCertificate.description.contains("\(missing): No such file"))
    let noPEM = try error(certificate: tls.keyFile, key: tls.keyFile)
    #expect(noPEM.blames == .certificate && noPEM.reason == "no start line")
  }

  @Test func anEncryptedKeyIsRefusedWithoutAskingForItsPassword() throws {
    let encrypted = tls.folder.path + "/encrypted"
    _ = try TLSTesting.output(
      of: "openssl",
      ["ec", "-in", tls.keyFile, "-out", encrypted, "-aes256", "-passout", "pass:secret"])
    #expect(try error(certificate: tls.certificateFile, key: encrypted).blames == .key)
  }

  @Test func aChainIsSentWhole() throws {
    let other = try TLSTesting(commonName: "above")
    let chain = try Self.read(tls.certificateFile) + Self.read(other.certificateFile)
    _ = try tls.folder.write(chain, to: "tls.crt")
    try tls.identity.reload()
    let server = try tls.server()
    let said = try tls.connect(server.port, ["-showcerts"])
    #expect(said.contains("0 s:CN = first") && said.contains("1 s:CN = above"), "\(said)")
  }

  @Test func aSelfSignedCertificateTellsHowLongItHolds() throws {
    let made = try SelfSignedCertificate.make(
      commonName: "a", names: "DNS:localhost,IP:127.0.0.1,IP:::1", days: 30)
    #expect(SelfSignedCertificate.holds(made.certificate, days: 29))
    #expect(!SelfSignedCertificate.holds(made.certificate, days: 31))
    #expect(!SelfSignedCertificate.holds("nothing", days: 0))
    let file = try tls.folder.write(made.certificate, to: "made")
    let text = try TLSTesting.output(of: "openssl", ["x509", "-in", file, "-noout", "-text"])
    for part in [
      "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1", "ASN1 OID: prime256v1",
      "CA:FALSE", "TLS Web Server Authentication", "Digital Signature",
    ] {
      #expect(text.contains(part), "\(text)")
    }
  }

  private static func read(_ file: String) throws -> String {
    try TLSTesting.output(of: "openssl", ["x509", "-in", file])
  }
}
