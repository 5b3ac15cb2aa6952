import Foundation
import Testing

@testable import SplitstreamServer

/// `dev --tls` shows one certificate for as long as it can, so that who trusts it need not ask
/// again.
@Suite struct DevCertificateTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  @Test func itIsMadeOnceForTheOwnersEyes() throws {
    let files = try DevCertificate.files(in: folder.path)
    for file in [files.certificate, files.key] {
      #expect(Files.status(file)?.st_mode == 0o100600, "\(file)")
    }
    let certificate = try Files.read(files.certificate)
    #expect(try DevCertificate.files(in: folder.path) == files)
    #expect(try Files.read(files.certificate) == certificate)
  }

  @Test("what cannot be used is made anew", arguments: ["tls.crt", "tls.key"])
  func halfMade(name: String) throws {
    let files = try DevCertificate.files(in: folder.path)
    let certificate = try Files.read(files.certificate)
    try FileManager.default.removeItem(atPath: folder.path + "/" + name)
    _ = try DevCertificate.files(in: folder.path)
    #expect(try Files.read(files.certificate) != certificate)
    _ = try TLSContext(certificateFile: files.certificate, keyFile: files.key)
  }

  @Test func itIsMadeAnewBeforeItEnds() throws {
    let old = try SelfSignedCertificate.make(commonName: "old", names: "DNS:localhost", days: 29)
    _ = try folder.write(old.certificate, to: "tls.crt")
    _ = try folder.write(old.key, to: "tls.key")
    let files = try DevCertificate.files(in: folder.path)
    #expect(SelfSignedCertificate.holds(try Files.read(files.certificate), days: 300))
  }
}
