import CSodium

/// libsodium, initialised before its first use, and what of it needs no type of its own.
enum Sodium {
  /// Cryptographically random bytes.
  static func randomBytes(_ count: Int) -> [UInt8] {
    ready()
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      if count > 0 { randombytes_buf(buffer.baseAddress!, count) }
      initialized = count
    }
  }

  /// A random text of 43 letters and digits, 256.03 bits: what makes a key unguessable.
  static func randomSecret() -> String {
    randomText(43, alphabet: "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  }

  /// Characters drawn from `alphabet` without bias, by rejection inside libsodium.
  static func randomText(_ count: Int, alphabet: StaticString) -> String {
    ready()
    let letters = UnsafeBufferPointer(start: alphabet.utf8Start, count: alphabet.utf8CodeUnitCount)
    let text = (0..<count).map { _ in
      letters[Int(randombytes_uniform(UInt32(letters.count)))]
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Whether two texts are equal, in a time that depends on their lengths only.
  static func constantTimeEqual(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>)
    -> Bool
  {
    ready()
    return withContiguousBytes(left) { left in
      withContiguousBytes(right) { right in
        guard left.count == right.count else { return false }
        guard let a = left.baseAddress, let b = right.baseAddress else { return true }
        return sodium_memcmp(a, b, left.count) == 0
      }
    }
  }

  /// `sodium_init`, once. Everything that calls libsodium calls this first.
  static func ready() {
    _ = initialized
  }

  private static let initialized: Void = {
    // Fails only where the kernel has no source of randomness: no key made then would be worth
    // anything.
    precondition(sodium_init() >= 0, "libsodium found no source of randomness")
  }()
}

/// The bytes of any collection in one piece; arrays, slices and UTF-8 views are not copied.
func withContiguousBytes<Result>(
  _ bytes: some Collection<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Result
) -> Result {
  if let result = bytes.withContiguousStorageIfAvailable(body) { return result }
  return Array(bytes).withUnsafeBufferPointer(body)
}
