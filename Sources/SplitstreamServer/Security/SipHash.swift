import CSodium

/// SipHash-2-4 with a 128-bit result under a key that this process drew at random: a table key for
/// what callers choose, whom it leaves without a way to make two of them equal.
enum SipHash {
  static func hash128(_ bytes: some Collection<UInt8>) -> Hash128 {
    withContiguousBytes(bytes, hash128)
  }

  /// Of two words and the bytes that follow them, put together on the stack.
  static func hash128(_ words: (UInt64, UInt64), _ bytes: some Collection<UInt8>) -> Hash128 {
    let wordBytes = MemoryLayout<(UInt64, UInt64)>.size
    return withContiguousBytes(bytes) { bytes in
      // Unsafe: the buffer lives as long as the closure, and every byte of it is written.
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: wordBytes + bytes.count) { buffer in
        let whole = UnsafeMutableRawBufferPointer(buffer)
        whole.storeBytes(of: words.0, as: UInt64.self)
        whole.storeBytes(of: words.1, toByteOffset: 8, as: UInt64.self)
        UnsafeMutableRawBufferPointer(rebasing: whole[wordBytes...])
          .copyMemory(from: UnsafeRawBufferPointer(bytes))
        return hash128(UnsafeBufferPointer(buffer))
      }
    }
  }

  private static func hash128(_ bytes: UnsafeBufferPointer<UInt8>) -> Hash128 {
    var words = (UInt64(0), UInt64(0))
    key.withUnsafeBufferPointer { key in
      withUnsafeMutableBytes(of: &words) { out in
        _ = crypto_shorthash_siphashx24(
          out.baseAddress!.assumingMemoryBound(to: UInt8.self), bytes.baseAddress,
          UInt64(bytes.count), key.baseAddress!)
      }
    }
    return Hash128(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
  }

  private static let key = Sodium.randomBytes(16)
}
