/// Names the requests of one loop. 13 characters, so that a `String` holds them without the heap.
///
/// A counter through a bijection of 64 bits: never twice from one maker; two makers, whose seeds
/// are random, share one of a million ids each with a probability of 5e-8.
struct RequestIDs {
  private var counter: UInt64

  /// - Parameter seed: random, and of this maker alone.
  init(seed: UInt64) {
    counter = seed
  }

  mutating func next() -> String {
    // SplitMix64: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators (OOPSLA
    // 2014), §4.
    counter &+= 0x9e37_79b9_7f4a_7c15
    var bits = counter
    bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
    bits ^= bits >> 31
    return String(unsafeUninitializedCapacity: 13) { buffer in
      for index in 0..<13 {
        buffer[12 - index] = Self.letters.utf8Start[Int(bits & 31)]
        bits >>= 5
      }
      return 13
    }
  }

  /// Crockford's base 32: no letter that is taken for another.
  private static let letters: StaticString = "0123456789abcdefghjkmnpqrstvwxyz"
}
