/// The certificate that `dev --tls` shows: made once, kept in the data folder, made anew before it
/// ends.
enum DevCertificate {
  private static let days = 365
  private static let daysLeftMin = 30

  /// Paths of the certificate and its key in `folder`; only their owner may read them.
  static func files(in folder: String) throws -> (certificate: String, key: String) {
    let files = (certificate: folder + "/tls.crt", key: folder + "/tls.key")
    if isUsable(files) { return files }
    let made = try SelfSignedCertificate.make(
      commonName: "splitstream dev", names: "DNS:localhost,IP:127.0.0.1,IP:::1", days: days)
    try Files.writePrivate(made.key, to: files.key)
    try Files.writePrivate(made.certificate, to: files.certificate)
    return files
  }

  /// A start that ended between the two files leaves a pair that does not match.
  private static func isUsable(_ files: (certificate: String, key: String)) -> Bool {
    guard let text = try? Files.read(files.certificate),
      SelfSignedCertificate.holds(text, days: daysLeftMin)
    else { return false }
    return (try? TLSContext(certificateFile: files.certificate, keyFile: files.key)) != nil
  }
}
