import CSodium

/// SHA-256 in pieces. A value: a prefix hashed once can be copied and continued for each unit.
struct SHA256: Sendable {
  private var state = crypto_hash_sha256_state()

  init() {
    Sodium.ready()
    crypto_hash_sha256_init(&state)
  }

  mutating func update(_ bytes: some Collection<UInt8>) {
    withContiguousBytes(bytes) { buffer in
      _ = crypto_hash_sha256_update(&state, buffer.baseAddress, UInt64(buffer.count))
    }
  }

  /// The hash of all that was given so far.
  func finalized() -> Hash256 {
    var state = state
    return Hash256 { crypto_hash_sha256_final(&state, $0) }
  }

  static func hash(_ bytes: some Collection<UInt8>) -> Hash256 {
    Sodium.ready()
    return withContiguousBytes(bytes) { buffer in
      Hash256 { crypto_hash_sha256($0, buffer.baseAddress, UInt64(buffer.count)) }
    }
  }
}

/// BLAKE2b with a 16-byte result: names long bytes shortly (a cache key, an idempotency body),
/// keyed or not.
enum BLAKE2b {
  static func hash128(_ bytes: some Collection<UInt8>) -> Hash128 {
    Sodium.ready()
    var words = (UInt64(0), UInt64(0))
    withContiguousBytes(bytes) { buffer in
      withUnsafeMutableBytes(of: &words) { out in
        let target = out.baseAddress!.assumingMemoryBound(to: UInt8.self)
        _ = crypto_generichash(target, 16, buffer.baseAddress, UInt64(buffer.count), nil, 0)
      }
    }
    return Hash128(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
  }
}
