/// Reads an object of plain members one by one: strings without escapes, true and false.
///
/// Most bodies that SDKs send are such objects; this way they are read in place, without a table of
/// their values. Whatever else a text is, right or wrong, the reader does not complete: then it is
/// `JSONValue`'s to read or to refuse.
struct JSONPlainReader {
  private var position = 0
  private var stage = Stage.before

  /// Ranges of the text, without the quotes.
  struct Member {
    let name: Range<Int>
    let value: Value
  }

  enum Value {
    case string(Range<Int>)
    case bool(Bool)
  }

  private enum Stage { case before, within, complete, failed }

  /// Whether all of the text was read, and is what this reads. Names may stand twice.
  var isComplete: Bool { stage == .complete }

  mutating func next(in text: Span<UInt8>) -> Member? {
    switch stage {
    case .before:
      guard take(UInt8(ascii: "{"), text) else { return fail() }
      stage = .within
      if take(UInt8(ascii: "}"), text) { return end(text) }
    case .within:
      if take(UInt8(ascii: "}"), text) { return end(text) }
      guard take(UInt8(ascii: ","), text) else { return fail() }
    case .complete, .failed: return nil
    }
    guard let name = string(text), take(UInt8(ascii: ":"), text), let value = value(text) else {
      return fail()
    }
    return Member(name: name, value: value)
  }

  private mutating func end(_ text: Span<UInt8>) -> Member? {
    skipWhitespace(text)
    stage = position == text.count ? .complete : .failed
    return nil
  }

  private mutating func fail() -> Member? {
    stage = .failed
    return nil
  }

  private mutating func value(_ text: Span<UInt8>) -> Value? {
    if let string = string(text) { return .string(string) }
    if take("true", text) { return .bool(true) }
    return take("false", text) ? .bool(false) : nil
  }

  private mutating func string(_ text: Span<UInt8>) -> Range<Int>? {
    skipWhitespace(text)
    guard position < text.count, text[position] == UInt8(ascii: "\"") else { return nil }
    var scanner = JSONStringScanner(position: position + 1)
    guard scanner.scan(text) == nil, !scanner.isEscaped else { return nil }
    defer { position = scanner.position + 1 }
    return position + 1..<scanner.position
  }

  private mutating func take(_ word: StaticString, _ text: Span<UInt8>) -> Bool {
    let end = position + word.utf8CodeUnitCount
    guard end <= text.count, JSONString.bytes(text.extracting(position..<end), equal: word) else {
      return false
    }
    position = end
    return true
  }

  private mutating func take(_ byte: UInt8, _ text: Span<UInt8>) -> Bool {
    skipWhitespace(text)
    guard position < text.count, text[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipWhitespace(_ text: Span<UInt8>) {
    while position < text.count {
      switch text[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }
}
