import CSodium

/// Argon2id of an API key, stored as defence in depth beside its `KeyHash`. Costs 64 MiB and tens
/// of milliseconds: computed when a key is issued, never on a request.
enum Argon2id {
  /// - Returns: the encoded form `$argon2id$v=19$m=65536,t=2,p=1$…`, which carries salt and cost.
  static func hash(_ secret: String) throws(SecurityError) -> String {
    Sodium.ready()
    var encoded = [CChar](repeating: 0, count: Int(crypto_pwhash_strbytes()))
    let code = crypto_pwhash_str_alg(
      &encoded, secret, UInt64(secret.utf8.count), UInt64(crypto_pwhash_opslimit_interactive()),
      crypto_pwhash_memlimit_interactive(), crypto_pwhash_alg_argon2id13())
    // The only failure libsodium knows here is that the kernel would not give the 64 MiB.
    guard code == 0 else { throw .outOfMemory }
    return String(decoding: encoded.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  static func verify(_ secret: String, against encoded: String) -> Bool {
    Sodium.ready()
    return crypto_pwhash_str_verify(encoded, secret, UInt64(secret.utf8.count)) == 0
  }
}

/// What can go wrong in this folder, besides a weak pepper.
enum SecurityError: Error, Equatable {
  case outOfMemory
}
