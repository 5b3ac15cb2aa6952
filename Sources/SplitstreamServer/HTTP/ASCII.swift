import Glibc

/// Bytes and byte classes of HTTP/1.1. Framing is never decided on `Character` or `String`, which
/// fold and merge what HTTP keeps apart.
enum ASCII {
  static let tab: UInt8 = 0x09
  static let lineFeed: UInt8 = 0x0a
  static let carriageReturn: UInt8 = 0x0d
  static let space: UInt8 = 0x20
  static let quote: UInt8 = 0x22
  static let percent: UInt8 = 0x25
  static let asterisk: UInt8 = 0x2a
  static let comma: UInt8 = 0x2c
  static let slash: UInt8 = 0x2f
  static let zero: UInt8 = 0x30
  static let colon: UInt8 = 0x3a
  static let semicolon: UInt8 = 0x3b
  static let equals: UInt8 = 0x3d
  static let question: UInt8 = 0x3f
  static let backslash: UInt8 = 0x5c

  /// RFC 9110 §5.6.2: tchar.
  static let token = ByteSet(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe)
  /// RFC 3986 §3.3: pchar and "/", with "%" still to be checked.
  static let path = ByteSet(low: 0x2fff_fff2_0000_0000, high: 0x47ff_fffe_87ff_ffff)
  /// RFC 3986 §3.4: the path's bytes and "?".
  static let query = ByteSet(low: 0xafff_fff2_0000_0000, high: 0x47ff_fffe_87ff_ffff)
  /// RFC 3986 §3.2.2: reg-name, with "%" still to be checked.
  static let registeredName = ByteSet(low: 0x2bff_7ff2_0000_0000, high: 0x47ff_fffe_87ff_fffe)

  static func isDigit(_ byte: UInt8) -> Bool { byte &- zero < 10 }

  static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

  /// RFC 9110 §5.5: VCHAR, SP, HTAB and obs-text.
  static func isFieldContent(_ byte: UInt8) -> Bool {
    byte >= space ? byte != 0x7f : byte == tab
  }

  /// Whether a byte of the word is a control character.
  ///
  /// `(x - 0x01…) & ~x & 0x80…` is not 0 when x has a zero byte, and `(x - 0x20…) & ~x & 0x80…` when
  /// it has one below 0x20 (Warren, *Hacker's Delight*, §6-1).
  static func hasControl(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let deletes = word ^ (ones &* 0x7f)
    return ((word &- ones &* 0x20) & ~word | (deletes &- ones) & ~deletes) & (ones &* 0x80) != 0
  }

  /// Whether eight bytes are those of `expected`, ASCII in lower case, but for the case of letters.
  static func isSame(_ word: UInt64, butForCaseAs expected: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    // The highest bit of a byte: it is at least "a", and not above "z".
    let letters = (expected &+ ones &* 0x1f) & ~(expected &+ ones &* 0x05) & (ones &* 0x80)
    return (word ^ expected) & ~(letters >> 2) == 0
  }

  static func hexValue(_ byte: UInt8) -> UInt8? {
    if isDigit(byte) { return byte &- zero }
    let letter = (byte | 0x20) &- 0x61
    return letter < 6 ? letter &+ 10 : nil
  }

  static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
  }
}

/// A set of ASCII bytes as 128 bits.
struct ByteSet: Sendable {
  let low: UInt64
  let high: UInt64

  func contains(_ byte: UInt8) -> Bool {
    let word = byte < 64 ? low : high
    return byte < 128 && word &>> UInt64(byte & 63) & 1 == 1
  }
}

extension ArraySlice<UInt8> {
  /// Whether these are the same bytes, compared by words.
  func isSame(as other: [UInt8]) -> Bool {
    guard count == other.count else { return false }
    // Unsafe: both have `count` bytes.
    return withUnsafeBytes { mine in
      other.withUnsafeBytes { theirs in
        guard let mine = mine.baseAddress, let theirs = theirs.baseAddress else { return true }
        return memcmp(mine, theirs, other.count) == 0
      }
    }
  }

  /// Whether these bytes are `text`, given in lower case, but for the case of ASCII letters.
  func matches(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    // Unsafe: the pointer of a literal is valid for ever, and the index stays below its length.
    let expected = text.utf8Start
    return withUnsafeBufferPointer { bytes in
      guard let start = bytes.baseAddress else { return true }
      // Most spell it as we do.
      if memcmp(start, expected, bytes.count) == 0 { return true }
      return bytes.indices.allSatisfy { ASCII.lowercased(bytes[$0]) == expected[$0] }
    }
  }
}

extension [UInt8] {
  /// Whether the bytes of `range` are `text`, given in lower case, but for the case of ASCII
  /// letters.
  func matches(_ text: StaticString, in range: Range<Int>) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the buffer")
    // Unsafe: the pointer of a literal is valid for ever, and no load ends behind the range, which
    // is as long as the literal.
    let bytes = span.bytes
    let expected = UnsafeRawPointer(text.utf8Start)
    guard range.count >= 8 else {
      return range.indices.allSatisfy {
        ASCII.lowercased(self[$0]) == text.utf8Start[$0 - range.lowerBound]
      }
    }
    var offset = 0
    while true {
      let word = bytes.unsafeLoadUnaligned(
        fromByteOffset: range.lowerBound + offset, as: UInt64.self)
      let wanted = expected.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      if !ASCII.isSame(word, butForCaseAs: wanted) { return false }
      if offset + 8 == range.count { return true }
      // The last word begins among the bytes of the one before.
      offset = Swift.min(offset + 8, range.count - 8)
    }
  }

  /// Whether a field value may consist of these bytes; eight of them are looked at at a time.
  func isFieldContent(_ range: Range<Int>) -> Bool {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the buffer")
    // Unsafe: no word ends behind the checked range.
    let bytes = span.bytes
    var index = range.lowerBound
    while index + 8 <= range.upperBound {
      let word = bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
      // A tab is among the control characters, and allowed.
      if ASCII.hasControl(word), !self[index..<index + 8].allSatisfy(ASCII.isFieldContent) {
        return false
      }
      index += 8
    }
    while index < range.upperBound {
      if !ASCII.isFieldContent(self[index]) { return false }
      index += 1
    }
    return true
  }

  /// The first line feed in `range`.
  func firstLineFeed(in range: Range<Int>) -> Int? {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "range outside the buffer")
    // Unsafe: `memchr` reads the checked range only.
    return withUnsafeBytes { bytes -> Int? in
      guard let base = bytes.baseAddress,
        let found = memchr(base + range.lowerBound, Int32(ASCII.lineFeed), range.count)
      else { return nil }
      return UnsafeRawPointer(found) - base
    }
  }

  /// Appends the bytes of another array without a reference of its own to it.
  mutating func append(copying other: borrowing [UInt8]) {
    // Unsafe: the pointer is used within the call only.
    other.withUnsafeBufferPointer { append(contentsOf: $0) }
  }

  /// Appends a literal, without a String.
  mutating func append(_ text: StaticString) {
    // Unsafe: the pointer of a literal is valid for ever.
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends a number of at least 0 in decimal, without a String.
  mutating func append(decimal number: Int) {
    precondition(number >= 0, "HTTP writes no negative number")
    if number >= 10 { append(decimal: number / 10) }
    append(ASCII.zero + UInt8(number % 10))
  }
}
