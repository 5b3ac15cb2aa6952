import COpenSSL

/// A certificate with its key, and how TLS is spoken: what all sessions begun with it share.
///
/// `@unchecked Sendable`: OpenSSL counts the references and locks what changes; we change nothing
/// after `init`.
final class TLSContext: @unchecked Sendable {
  /// `SSL_CTX`, ours until the last session is gone too.
  let pointer: OpaquePointer

  /// - Parameters:
  ///   - certificateFile: PEM: the server's certificate, then those that lead to its root.
  ///   - keyFile: PEM: the private key, not encrypted.
  init(certificateFile: String, keyFile: String) throws(TLSError) {
    ERR_clear_error()
    guard let context = SSL_CTX_new(TLS_server_method()) else { throw TLSError(doing: "start") }
    pointer = context
    // A fault from here on runs `deinit`: all members have their value.
    try Self.setRules(context)
    try Self.load(certificateFile, keyFile, into: context)
  }

  deinit {
    SSL_CTX_free(pointer)
  }

  private static func setRules(_ context: OpaquePointer) throws(TLSError) {
    // RFC 9325 §3 and §4.2: TLS 1.2 with forward secrecy and authenticated encryption only. The
    // suites of TLS 1.3 are all of that kind.
    guard splitstream_tls_limit_versions(context, TLS1_2_VERSION, TLS1_3_VERSION) == 1,
      SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1,
      SSL_CTX_set_ciphersuites(
        context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1,
      splitstream_tls_set_groups(context, "X25519:P-256:P-384") == 1
    else { throw TLSError(doing: "set versions and ciphers") }
    splitstream_tls_set_options(context)
    // Sessions are resumed by tickets, which the clients keep: nothing to store, nothing to share
    // between the loops.
    splitstream_tls_set_session_cache(context, Int(SSL_SESS_CACHE_OFF))
    // An output buffer may have moved when a write is tried again; idle connections hold no
    // buffers.
    splitstream_tls_set_mode(
      context,
      Int(
        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
          | SSL_MODE_RELEASE_BUFFERS))
    // A record's head and its body by one call of recv.
    splitstream_tls_read_ahead(context)
    SSL_CTX_set_alpn_select_cb(context, selectProtocol, nil)
    // Else OpenSSL would ask the terminal for the password of an encrypted key.
    SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in -1 }
  }

  /// The key first: then what fails names its file, and a pair that does not match shows last.
  private static func load(
    _ certificateFile: String, _ keyFile: String, into context: OpaquePointer
  ) throws(TLSError) {
    guard SSL_CTX_use_PrivateKey_file(context, keyFile, SSL_FILETYPE_PEM) == 1 else {
      throw TLSError(doing: "read the private key in \(keyFile)", blames: .key)
    }
    guard SSL_CTX_use_certificate_chain_file(context, certificateFile) == 1 else {
      throw TLSError(doing: "read the certificate in \(certificateFile)", blames: .certificate)
    }
    guard SSL_CTX_check_private_key(context) == 1 else {
      ERR_clear_error()
      throw TLSError(
        doing: "use \(keyFile): it is not the private key of the certificate in \(certificateFile)",
        blames: .key)
    }
  }

  /// RFC 7301 §3.2: a client that names protocols but not ours is refused with an alert; one that
  /// names none is taken to speak HTTP/1.1.
  private static let selectProtocol: SSL_CTX_alpn_select_cb_func = {
    _, selected, selectedCount, offered, offeredCount, _ in
    // Unsafe: OpenSSL has checked that the names fill `offered`; a literal's bytes stay for ever.
    let names = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
    var index = 0
    while index < names.count {
      let name = names[index + 1..<min(index + 1 + Int(names[index]), names.count)]
      if name.elementsEqual(UnsafeBufferPointer(start: http11.utf8Start, count: 8)) {
        selected?.pointee = http11.utf8Start
        selectedCount?.pointee = 8
        return SSL_TLSEXT_ERR_OK
      }
      index = name.endIndex
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
  }
  private static let http11: StaticString = "http/1.1"
}
