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
