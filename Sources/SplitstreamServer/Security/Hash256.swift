/// 32 bytes of a hash as four words, so that copies and comparisons touch no heap.
struct Hash256: Hashable, Comparable, Sendable {
  /// Big-endian: the first byte of the hash is the highest of `word0`.
  let word0, word1, word2, word3: UInt64

  /// - Parameter bytes: exactly 32, else nil.
  init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == 32 else { return nil }
    var words = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
    for (index, byte) in bytes.enumerated() {
      switch index / 8 {
      case 0: words.0 = words.0 << 8 | UInt64(byte)
      case 1: words.1 = words.1 << 8 | UInt64(byte)
      case 2: words.2 = words.2 << 8 | UInt64(byte)
      default: words.3 = words.3 << 8 | UInt64(byte)
      }
    }
    (word0, word1, word2, word3) = words
  }

  /// What libsodium writes: `body` fills 32 bytes.
  init(filledBy body: (UnsafeMutablePointer<UInt8>) -> Void) {
    var words = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
    withUnsafeMutableBytes(of: &words) { buffer in
      body(buffer.baseAddress!.assumingMemoryBound(to: UInt8.self))
    }
    word0 = UInt64(bigEndian: words.0)
    word1 = UInt64(bigEndian: words.1)
    word2 = UInt64(bigEndian: words.2)
    word3 = UInt64(bigEndian: words.3)
  }

  var bytes: [UInt8] {
    [word0, word1, word2, word3].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64($0))) }
    }
  }

  var hex: String { hexadecimal(bytes) }

  /// The order of the bytes.
  static func < (left: Hash256, right: Hash256) -> Bool {
    (left.word0, left.word1, left.word2, left.word3)
      < (right.word0, right.word1, right.word2, right.word3)
  }
}

/// 16 bytes of a hash as two words: a dictionary key that costs what a number costs.
struct Hash128: Hashable, Sendable {
  /// Big-endian: the first byte of the hash is the highest of `high`.
  let high, low: UInt64

  var bytes: [UInt8] {
    [high, low].flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64($0))) }
    }
  }

  var hex: String { hexadecimal(bytes) }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(
    decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
