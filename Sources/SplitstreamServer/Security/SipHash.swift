import CSodium

/// SipHash-2-4 with a 128-bit result under a key that this process drew at random: a table key for what callers choose,
/// whom it leaves without a way to make two of them equal.
enum SipHash {
  static func hash128(_ bytes: some Collection<UInt8>) -> Hash128 {
    var words = (UInt64(0), UInt64(0))
    withContiguousBytes(bytes) { buffer in
      key.withUnsafeBufferPointer { key in
        withUnsafeMutableBytes(of: &words) { out in
          _ = crypto_shorthash_siphashx24(
            out.baseAddress!.assumingMemoryBound(to: UInt8.self), buffer.baseAddress,
            UInt64(buffer.count),
            key.baseAddress!)
        }
      }
    }
    return Hash128(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
  }

  private static let key = Sodium.randomBytes(16)
}
