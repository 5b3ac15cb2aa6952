/// A whole HTTP response as a client received it.
struct ServerReply: Sendable {
  let status: Int
  /// Names in lower case.
  var fields: [(name: String, value: String)]
  var body: [UInt8] = []
  /// Whether the connection may carry another request.
  var keepsConnection: Bool

  subscript(_ name: String) -> String? {
    fields.first { $0.name == name }?.value
  }

  /// `Retry-After` in seconds (RFC 9110 §10.2.3); the form with a date is not used by our server
  /// and is ignored.
  var retryAfterSeconds: Int? {
    self["retry-after"].flatMap { ReplyGrammar.decimal(Array($0.utf8)[...]) }
  }
}

/// What RFC 9112 says about a response's lines, over bytes.
enum ReplyGrammar {
  /// `HTTP/1.1 200 OK` (§4). The reason phrase says nothing.
  static func statusLine(
    _ line: ArraySlice<UInt8>
  ) throws(ClientError) -> (isHTTP11: Bool, status: Int) {
    let version = line.prefix(8)
    let isHTTP11 = version.elementsEqual("HTTP/1.1".utf8)
    guard isHTTP11 || version.elementsEqual("HTTP/1.0".utf8),
      line.dropFirst(8).first == UInt8(ascii: " "),
      let status = decimal(line.dropFirst(9).prefix(3)), (100...599).contains(status),
      line.count == 12 || line.dropFirst(12).first == UInt8(ascii: " ")
    else { throw .malformed(reason: "the first line is not HTTP/1.1") }
    return (isHTTP11, status)
  }

  /// `name: value` with blanks around the value (§5).
  static func field(_ line: ArraySlice<UInt8>) throws(ClientError) -> (name: String, value: String)
  {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
      throw .malformed(reason: "a header line without a name")
    }
    let name = line[..<colon].map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
    var value = line[line.index(after: colon)...]
    while let first = value.first, isBlank(first) { value.removeFirst() }
    while let last = value.last, isBlank(last) { value.removeLast() }
    return (String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
  }

  /// ASCII digits only, 1 … 15 of them, so that no step overflows.
  static func decimal(_ digits: ArraySlice<UInt8>) -> Int? {
    guard (1...15).contains(digits.count) else { return nil }
    var number = 0
    for digit in digits {
      guard (0x30...0x39).contains(digit) else { return nil }
      number = number * 10 + Int(digit - 0x30)
    }
    return number
  }

  /// The size in `1f;extension` (§7.1): 1 … 8 hexadecimal digits.
  static func chunkSize(_ line: ArraySlice<UInt8>) -> Int? {
    let digits = line.prefix { $0 != UInt8(ascii: ";") && !isBlank($0) }
    guard (1...8).contains(digits.count) else { return nil }
    var size = 0
    for digit in digits {
      switch digit {
      case 0x30...0x39: size = size << 4 | Int(digit - 0x30)
      case 0x41...0x46: size = size << 4 | Int(digit - 0x41 + 10)
      case 0x61...0x66: size = size << 4 | Int(digit - 0x61 + 10)
      default: return nil
      }
    }
    return size
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
