import COpenSSL

/// A certificate of our own making, for trying HTTPS on one machine.
struct SelfSignedCertificate: Sendable {
  /// Both as PEM.
  let certificate: String
  let key: String

  /// - Parameters:
  ///   - names: of the subject, as OpenSSL writes them: `DNS:localhost,IP:127.0.0.1`.
  ///   - days: from now, for which it holds.
  static func make(
    commonName: String, names: String, days: Int
  ) throws(TLSError) -> SelfSignedCertificate {
    ERR_clear_error()
    guard let key = splitstream_make_p256_key(), let certificate = X509_new() else {
      throw TLSError(doing: "make a key")
    }
    defer {
      EVP_PKEY_free(key)
      X509_free(certificate)
    }
    // Version 3, RFC 5280 §4.1.2.1. The serial number is random, §4.1.2.2.
    guard X509_set_version(certificate, 2) == 1, setSerial(certificate),
      X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != nil,
      X509_gmtime_adj(X509_getm_notAfter(certificate), days * 86_400) != nil,
      X509_set_pubkey(certificate, key) == 1,
      let name = X509_get_subject_name(certificate),
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, commonName, -1, -1, 0) == 1,
      X509_set_issuer_name(certificate, name) == 1,
      // No authority: who trusts it trusts this one server.
      add(NID_basic_constraints, "critical,CA:FALSE", to: certificate),
      add(NID_key_usage, "critical,digitalSignature", to: certificate),
      add(NID_ext_key_usage, "serverAuth", to: certificate),
      add(NID_subject_key_identifier, "hash", to: certificate),
      add(NID_subject_alt_name, names, to: certificate),
      X509_sign(certificate, key, EVP_sha256()) > 0
    else { throw TLSError(doing: "make a certificate") }
    return SelfSignedCertificate(
      certificate: try pem { PEM_write_bio_X509($0, certificate) },
      key: try pem { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) })
  }

  /// Whether a certificate is good for `days` more.
  static func holds(_ certificate: String, days: Int) -> Bool {
    ERR_clear_error()
    let bytes = [UInt8](certificate.utf8)
    guard let bio = BIO_new_mem_buf(bytes, Int32(bytes.count)) else { return false }
    defer { BIO_free(bio) }
    guard let certificate = PEM_read_bio_X509(bio, nil, nil, nil) else { return false }
    defer { X509_free(certificate) }
    var end = time(nil) + days * 86_400
    return X509_cmp_time(X509_get0_notAfter(certificate), &end) > 0
  }

  private static func setSerial(_ certificate: OpaquePointer) -> Bool {
    var bytes = [UInt8](repeating: 0, count: 16)
    guard RAND_bytes(&bytes, Int32(bytes.count)) == 1 else { return false }
    // Positive and never zero.
    bytes[0] = bytes[0] & 0x7f | 0x40
    guard let number = BN_bin2bn(bytes, Int32(bytes.count), nil) else { return false }
    defer { BN_free(number) }
    return BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
  }

  private static func add(_ kind: Int32, _ value: String, to certificate: OpaquePointer) -> Bool {
    var context = X509V3_CTX()
    X509V3_set_ctx(&context, certificate, certificate, nil, nil, 0)
    guard let field = X509V3_EXT_conf_nid(nil, &context, kind, value) else { return false }
    defer { X509_EXTENSION_free(field) }
    return X509_add_ext(certificate, field, -1) == 1
  }

  private static func pem(_ write: (OpaquePointer) -> Int32) throws(TLSError) -> String {
    guard let bio = BIO_new(BIO_s_mem()) else { throw TLSError(doing: "write PEM") }
    defer { BIO_free(bio) }
    var bytes: UnsafeMutablePointer<CChar>?
    guard write(bio) == 1 else { throw TLSError(doing: "write PEM") }
    let count = splitstream_bio_bytes(bio, &bytes)
    // Unsafe: the BIO owns the bytes, and lives on until they are copied.
    return UnsafeRawBufferPointer(start: bytes, count: count).withMemoryRebound(to: UInt8.self) {
      String(decoding: $0, as: UTF8.self)
    }
  }
}
