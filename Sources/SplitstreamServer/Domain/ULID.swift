/// A 128-bit id: 48 bits of Unix milliseconds, then 80 random bits; 26 Crockford base-32 characters
/// on the wire.
struct ULID: Hashable, Sendable, Comparable {
  let high: UInt64
  let low: UInt64

  init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The low word is random in ids that are kept.
  func hash(into hasher: inout Hasher) { hasher.combine(low) }

  /// An id of `time` with the 80 low bits of `random`.
  init(time: Timestamp, random: (UInt64, UInt64)) {
    let milliseconds = UInt64(max(0, time.microseconds / 1000)) & 0xffff_ffff_ffff
    self.init(high: milliseconds << 16 | random.0 & 0xffff, low: random.1)
  }

  /// The smallest id of an instant, to the millisecond: `id < floor(of: t)` is "made before t".
  static func floor(of time: Timestamp) -> ULID { ULID(time: time, random: (0, 0)) }

  /// Reads the 26 characters, in either case; nil when they are not a ULID.
  init?(_ text: String) {
    var high: UInt64 = 0
    var low: UInt64 = 0
    var count = 0
    for byte in text.utf8 {
      guard let digit = Self.value(of: byte) else { return nil }
      // 26 characters hold 130 bits: the first may not exceed 7.
      if count == 0 && digit > 7 { return nil }
      high = high << 5 | low >> 59
      low = low << 5 | digit
      count += 1
      if count > 26 { return nil }
    }
    guard count == 26 else { return nil }
    self.init(high: high, low: low)
  }

  /// Reads 32 hexadecimal digits with or without the dashes of a UUID: how PostgreSQL prints the 16
  /// bytes.
  init?(uuid text: String) {
    let digits = text.utf8.filter { $0 != UInt8(ascii: "-") }
    guard digits.count == 32, let high = Self.hexadecimal(digits[..<16]),
      let low = Self.hexadecimal(digits[16...])
    else { return nil }
    self.init(high: high, low: low)
  }

  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt64? {
    var word: UInt64 = 0
    for byte in digits {
      switch byte {
      case 0x30...0x39: word = word << 4 | UInt64(byte - 0x30)
      case 0x61...0x66: word = word << 4 | UInt64(byte - 0x61 + 10)
      default: return nil
      }
    }
    return word
  }

  /// The 16 bytes, most significant first.
  var bytes: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
      for index in 0..<8 {
        buffer[index] = UInt8(truncatingIfNeeded: high >> (56 - 8 * UInt64(index)))
        buffer[index + 8] = UInt8(truncatingIfNeeded: low >> (56 - 8 * UInt64(index)))
      }
      count = 16
    }
  }

  /// When the id was made, to the millisecond.
  var time: Timestamp { Timestamp(microseconds: Int(high >> 16) * 1000) }

  var text: String {
    String(unsafeUninitializedCapacity: 26) { buffer in
      write { buffer[$0] = $1 }
      return 26
    }
  }

  /// Appends the 26 characters.
  func append(to bytes: inout [UInt8]) {
    bytes.append(addingCapacity: 26) { output in
      // Unsafe: there is room for 26 bytes, and each is written.
      output.withUnsafeMutableBufferPointer { buffer, count in
        let start = buffer.baseAddress! + count
        write { (start + $0).initialize(to: $1) }
        count += 26
      }
    }
  }

  static func < (left: ULID, right: ULID) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }

  private func write(_ put: (Int, UInt8) -> Void) {
    var (high, low) = (high, low)
    // Unsafe: the pointer of a literal is valid for ever, and five bits stay below its 32.
    let alphabet = Self.alphabet.utf8Start
    for position in stride(from: 25, through: 0, by: -1) {
      put(position, alphabet[Int(low & 31)])
      low = low >> 5 | high << 59
      high >>= 5
    }
  }

  private static let alphabet: StaticString = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

  private static func value(of byte: UInt8) -> UInt64? {
    let upper = byte >= 0x61 && byte <= 0x7a ? byte - 32 : byte
    return (0..<32).first { alphabet.utf8Start[$0] == upper }.map(UInt64.init)
  }
}

extension ULID: CustomStringConvertible {
  var description: String { text }
}

/// Makes ids from a clock and a source of randomness that the caller owns.
struct ULIDGenerator {
  private var pool: [UInt64] = []
  private let refill: () -> [UInt64]

  /// - Parameter refill: at least two random words at each call; asked for many at once, because
  ///   each costs a system call.
  init(refill: @escaping () -> [UInt64]) {
    self.refill = refill
  }

  mutating func make(at time: Timestamp) -> ULID {
    if pool.count < 2 { pool = refill() }
    return ULID(time: time, random: (pool.removeLast(), pool.removeLast()))
  }
}
