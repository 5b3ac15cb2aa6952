import Logging

/// Builds one line of JSON. Knows just enough of RFC 8259 for that, so that logging works before
/// anything else does.
struct LogLine {
  /// Longer texts are cut: a log line must not grow with what a client sends.
  static let textBytesMax = 8_192

  private var bytes: [UInt8] = [UInt8(ascii: "{")]

  mutating func member(_ name: String, _ value: String) {
    key(name)
    text(value)
  }

  mutating func member(_ name: String, _ value: Logger.MetadataValue) {
    key(name)
    self.value(value, depth: 0)
  }

  /// The closed line, its newline included.
  func finished() -> [UInt8] { bytes + [UInt8(ascii: "}"), UInt8(ascii: "\n")] }

  private mutating func key(_ name: String) {
    separate()
    text(name)
    bytes.append(UInt8(ascii: ":"))
  }

  /// A comma, unless this is the first of its container.
  private mutating func separate() {
    let opening = [UInt8(ascii: "{"), UInt8(ascii: "[")]
    if let last = bytes.last, !opening.contains(last) { bytes.append(UInt8(ascii: ",")) }
  }

  private mutating func value(_ value: Logger.MetadataValue, depth: Int) {
    // Metadata is written by our own code; the bound only keeps a mistake from eating the stack.
    guard depth < 8 else { return text("…") }
    switch value {
    case .string(let string): text(string)
    case .stringConvertible(let convertible): scalar(convertible)
    case .array(let elements):
      bytes.append(UInt8(ascii: "["))
      for element in elements {
        separate()
        self.value(element, depth: depth + 1)
      }
      bytes.append(UInt8(ascii: "]"))
    case .dictionary(let members):
      bytes.append(UInt8(ascii: "{"))
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        key(name)
        self.value(member, depth: depth + 1)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  /// Numbers and truth values as JSON has them, everything else as text.
  private mutating func scalar(_ convertible: any CustomStringConvertible & Sendable) {
    switch convertible {
    case is Bool, is any FixedWidthInteger: bytes.append(contentsOf: convertible.description.utf8)
    case let number as Double where number.isFinite:
      bytes.append(contentsOf: number.description.utf8)
    default: text(convertible.description)
    }
  }

  private mutating func text(_ string: String) {
    bytes.append(UInt8(ascii: "\""))
    let utf8 = string.utf8
    if utf8.count <= Self.textBytesMax {
      escape(utf8)
    } else {
      // Cut between characters, never inside one.
      let end = utf8.index(utf8.startIndex, offsetBy: Self.textBytesMax)
      escape(string[..<(end.samePosition(in: string) ?? string.index(before: end))].utf8)
      bytes.append(contentsOf: "…".utf8)
    }
    bytes.append(UInt8(ascii: "\""))
  }

  // RFC 8259 §7: quotation mark, reverse solidus and the control characters must be escaped.
  private mutating func escape(_ utf8: some Sequence<UInt8>) {
    for byte in utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes.append(contentsOf: #"\""#.utf8)
      case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
      case UInt8(ascii: "\t"): bytes.append(contentsOf: #"\t"#.utf8)
      case 0..<0x20, 0x7f:
        bytes.append(contentsOf: #"\u00"#.utf8)
        for digit in [byte >> 4, byte & 15] {
          bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
      default: bytes.append(byte)
      }
    }
  }
}
