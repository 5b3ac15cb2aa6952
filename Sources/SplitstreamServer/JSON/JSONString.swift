/// Strings as they stand in a JSON text: found, checked, unescaped and compared as bytes.
enum JSONString {
  /// Appends the characters that `raw`, the checked inside of a string, stands for.
  static func unescape(_ raw: Span<UInt8>, into bytes: inout [UInt8]) {
    bytes.reserveCapacity(bytes.count + raw.count)
    var position = 0
    while position < raw.count {
      guard raw[position] == UInt8(ascii: "\\") else {
        bytes.append(raw[position])
        position += 1
        continue
      }
      let escape = raw[position + 1]
      position += 2
      switch escape {
      case UInt8(ascii: "b"): bytes.append(0x08)
      case UInt8(ascii: "f"): bytes.append(0x0C)
      case UInt8(ascii: "n"): bytes.append(0x0A)
      case UInt8(ascii: "r"): bytes.append(0x0D)
      case UInt8(ascii: "t"): bytes.append(0x09)
      case UInt8(ascii: "u"): appendScalar(raw, &position, into: &bytes)
      default: bytes.append(escape)  // a quote, a backslash or a slash stands for itself
      }
    }
  }

  /// Four hexadecimal digits at `position`, of either case.
  static func hexadecimal(_ text: Span<UInt8>, at position: Int) -> UInt32? {
    guard position + 4 <= text.count else { return nil }
    var value: UInt32 = 0
    for offset in 0..<4 {
      let byte = text[position + offset]
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: return nil
      }
      value = value << 4 | UInt32(digit)
    }
    return value
  }

  static func bytes(_ bytes: Span<UInt8>, equal other: StaticString) -> Bool {
    other.withUTF8Buffer { Self.bytes(bytes, equal: $0.span) }
  }

  static func bytes(_ bytes: Span<UInt8>, equal other: Span<UInt8>) -> Bool {
    guard bytes.count == other.count else { return false }
    for index in bytes.indices where bytes[index] != other[index] { return false }
    return true
  }

  /// The digits after `\u`, and the low surrogate that the parser has seen to follow a high one.
  private static func appendScalar(
    _ raw: Span<UInt8>, _ position: inout Int, into bytes: inout [UInt8]
  ) {
    var code = hexadecimal(raw, at: position) ?? 0xFFFD
    position += 4
    if (0xD800...0xDBFF).contains(code), let low = hexadecimal(raw, at: position + 2) {
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      position += 6
    }
    bytes.append(contentsOf: String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
  }
}

/// Runs from after an opening quote to the closing one.
struct JSONStringScanner {
  /// While scanning: the next byte. Afterwards: the closing quote, or where the fault is.
  private(set) var position: Int
  private(set) var isEscaped = false

  init(position: Int) {
    self.position = position
  }

  /// Returns what is wrong with the string, or nil.
  mutating func scan(_ text: Span<UInt8>) -> JSONError.Reason? {
    let start = position
    var hasNonASCII = false
    while true {
      skipPlainWords(text, &hasNonASCII)
      guard position < text.count else { return .unexpectedEnd }
      switch text[position] {
      case UInt8(ascii: "\""):
        return hasNonASCII ? validateUTF8(text, from: start) : nil
      case UInt8(ascii: "\\"):
        isEscaped = true
        if let reason = skipEscape(text) { return reason }
      case 0..<0x20:
        return .controlCharacterInString
      case let byte:
        hasNonASCII = hasNonASCII || byte >= 0x80
        position += 1
      }
    }
  }

  /// Passes over bytes that are neither a quote, a backslash nor a control character, eight at a
  /// time.
  ///
  /// `(x - 0x01…) & ~x & 0x80…` marks the zero bytes of x; the lowest mark is always right (Warren,
  /// *Hacker's Delight*, §6-1), so XOR with a repeated character finds its first occurrence.
  private mutating func skipPlainWords(_ text: Span<UInt8>, _ hasNonASCII: inout Bool) {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops: UInt64 = 0x8080_8080_8080_8080
    while position + 8 <= text.count {
      let word = UInt64(
        littleEndian: text.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self))
      let quotes = word ^ (ones &* 0x22)
      let backslashes = word ^ (ones &* 0x5C)
      let stops =
        ((quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
          | (word &- ones &* 0x20) & ~word) & tops
      if stops == 0 {
        hasNonASCII = hasNonASCII || word & tops != 0
        position += 8
        continue
      }
      let plainBits = stops.trailingZeroBitCount & ~7
      hasNonASCII = hasNonASCII || word & tops & ((1 << plainBits) - 1) != 0
      position += plainBits / 8
      return
    }
  }

  private mutating func skipEscape(_ text: Span<UInt8>) -> JSONError.Reason? {
    guard position + 1 < text.count else { return .unexpectedEnd }
    switch text[position + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
      UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position += 2
      return nil
    case UInt8(ascii: "u"):
      return skipUnicodeEscape(text)
    default:
      return .invalidEscape
    }
  }

  private mutating func skipUnicodeEscape(_ text: Span<UInt8>) -> JSONError.Reason? {
    guard let code = JSONString.hexadecimal(text, at: position + 2) else { return .invalidEscape }
    switch code {
    case 0:
      return .nulCharacter
    case 0xDC00...0xDFFF:
      return .loneSurrogate
    case 0xD800...0xDBFF:
      guard position + 7 < text.count, text[position + 6] == UInt8(ascii: "\\"),
        text[position + 7] == UInt8(ascii: "u"),
        let low = JSONString.hexadecimal(text, at: position + 8), (0xDC00...0xDFFF).contains(low)
      else { return .loneSurrogate }
      position += 12
    default:
      position += 6
    }
    return nil
  }

  private mutating func validateUTF8(_ text: Span<UInt8>, from start: Int) -> JSONError.Reason? {
    do throws(UTF8.ValidationError) {
      _ = try UTF8Span(validating: text.extracting(start..<position))
      return nil
    } catch {
      position = start + error.byteOffsets.lowerBound
      return .invalidUTF8
    }
  }
}
