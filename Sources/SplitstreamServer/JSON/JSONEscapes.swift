/// Strings on their way out: only what RFC 8259 §7 says must be escaped is.
enum JSONEscapes {
  static func isNeeded(for byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  /// Appends `value` in quotes.
  static func append(_ value: String, to bytes: inout [UInt8]) {
    var value = value
    value.withUTF8 { append($0.span, to: &bytes) }
  }

  /// Appends `characters`, UTF-8, in quotes.
  static func append(_ characters: Span<UInt8>, to bytes: inout [UInt8]) {
    if isPlain(characters) {
      return characters.withUnsafeBufferPointer { characters in
        bytes.append(addingCapacity: characters.count + 2) { output in
          output.append(UInt8(ascii: "\""))
          output.append(copying: characters)
          output.append(UInt8(ascii: "\""))
        }
      }
    }
    bytes.append(UInt8(ascii: "\""))
    var plain = 0
    for index in characters.indices where isNeeded(for: characters[index]) {
      append(plain: characters.extracting(plain..<index), to: &bytes)
      append(characters[index], to: &bytes)
      plain = index + 1
    }
    append(plain: characters.extracting(plain..<characters.count), to: &bytes)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Whether no character needs an escape; eight bytes are looked at at a time, as by
  /// `JSONStringScanner`.
  private static func isPlain(_ characters: Span<UInt8>) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    var index = 0
    while index + 8 <= characters.count {
      let word = characters.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
      let quotes = word ^ (ones &* 0x22)
      let backslashes = word ^ (ones &* 0x5C)
      let stops =
        (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
        | (word &- ones &* 0x20) & ~word
      if stops & (ones &* 0x80) != 0 { return false }
      index += 8
    }
    while index < characters.count {
      if isNeeded(for: characters[index]) { return false }
      index += 1
    }
    return true
  }

  private static func append(plain characters: Span<UInt8>, to bytes: inout [UInt8]) {
    characters.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
  }

  private static func append(_ byte: UInt8, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\\"))
    switch byte {
    case 0x08: bytes.append(UInt8(ascii: "b"))
    case 0x09: bytes.append(UInt8(ascii: "t"))
    case 0x0A: bytes.append(UInt8(ascii: "n"))
    case 0x0C: bytes.append(UInt8(ascii: "f"))
    case 0x0D: bytes.append(UInt8(ascii: "r"))
    case 0..<0x20:
      bytes.append(contentsOf: "u00".utf8)
      bytes.append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
      bytes.append(contentsOf: String(byte & 0x0F, radix: 16).utf8)
    default: bytes.append(byte)
    }
  }
}
