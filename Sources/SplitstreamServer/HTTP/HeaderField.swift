/// Where one field line keeps its name and value, counted from the start of its message.
struct HeaderField: Sendable {
  let name: Range<UInt32>
  let value: Range<UInt32>

  /// Reads `field-name ":" OWS field-value OWS`, RFC 9112 §5.
  ///
  /// - Parameters:
  ///   - bytes: borrowed, here and where a head is read: initialisers are given a reference of their
  ///     own otherwise.
  ///   - line: the line without its CRLF.
  ///   - start: where the message starts.
  init(_ bytes: borrowing [UInt8], line: Range<Int>, from start: Int) throws(HTTPError) {
    precondition(line.upperBound <= bytes.count, "a line outside the buffer")
    let span = bytes.span
    var index = line.lowerBound
    // Unsafe: the line is within the bytes, and the index within the line.
    while index < line.upperBound, ASCII.token.contains(span[unchecked: index]) { index += 1 }
    // RFC 9112 §5.1 and §5.2: no space before the colon, and no folded lines, which start with a
    // space.
    guard index > line.lowerBound, index < line.upperBound, bytes[index] == ASCII.colon else {
      throw .framing(.badRequest, "A header field is not a name, a colon and a value.")
    }
    let value = bytes.trimmingBlanks(index + 1..<line.upperBound)
    guard bytes.isFieldContent(value) else {
      throw .framing(.badRequest, "A header field has a control character in its value.")
    }
    name = UInt32(line.lowerBound - start)..<UInt32(index - start)
    self.value = UInt32(value.lowerBound - start)..<UInt32(value.upperBound - start)
  }
}
