/// What the fields of a head say about where its message ends and what becomes of the connection.
///
/// RFC 9112 §6.3, read strictly: a length that could be read in two ways is refused, never
/// repaired.
struct MessageFraming: Sendable {
  private(set) var expectsContinue = false
  private(set) var asksToClose = false
  private(set) var asksToKeepAlive = false

  private var hostCount = 0
  private var contentLength: Int?
  private var hasTransferEncoding = false
  private var codingCount = 0
  private var chunkedCount = 0
  private var endsWithChunked = false

  /// How the body is delimited.
  enum Body: Equatable, Sendable {
    case none
    case length(Int)
    case chunked
  }

  /// Takes in one field, whatever its name.
  mutating func add(_ field: HeaderField, in bytes: [UInt8], from start: Int) throws(HTTPError) {
    let name = start + Int(field.name.lowerBound)..<start + Int(field.name.upperBound)
    let value = start + Int(field.value.lowerBound)..<start + Int(field.value.upperBound)
    switch name.count {
    case 4 where bytes.matches("host", in: name):
      hostCount += 1
      guard hostCount == 1, Authority.isValid(bytes, value) else {
        throw .framing(.badRequest, "Host must be given once, as host or host:port.")
      }
    case 6 where bytes.matches("expect", in: name):
      guard bytes.matches("100-continue", in: value) else {
        throw .framing(.expectationFailed, "The only expectation that can be met is 100-continue.")
      }
      expectsContinue = true
    case 10 where bytes.matches("connection", in: name):
      Self.forEachElement(bytes, value) { option in
        if bytes.matches("close", in: option) { asksToClose = true }
        if bytes.matches("keep-alive", in: option) { asksToKeepAlive = true }
      }
    case 14 where bytes.matches("content-length", in: name):
      guard contentLength == nil else {
        throw .framing(.badRequest, "Content-Length must be given once.")
      }
      contentLength = try Self.length(bytes[value])
    case 17 where bytes.matches("transfer-encoding", in: name):
      hasTransferEncoding = true
      Self.forEachElement(bytes, value) { coding in
        codingCount += 1
        endsWithChunked = bytes.matches("chunked", in: coding)
        if endsWithChunked { chunkedCount += 1 }
      }
    default: break
    }
  }

  /// The verdict, once all fields are in.
  func body(minorVersion: Int) throws(HTTPError) -> Body {
    if hostCount == 0 && minorVersion > 0 {
      throw .framing(.badRequest, "An HTTP/1.1 request must have a Host field.")
    }
    guard hasTransferEncoding else { return contentLength.map(Body.length) ?? .none }
    // RFC 9112 §6.1: both framing fields, or a coding in HTTP/1.0, may be smuggling.
    guard contentLength == nil else {
      throw .framing(.badRequest, "Content-Length and Transfer-Encoding exclude each other.")
    }
    guard minorVersion > 0 else {
      throw .framing(.badRequest, "HTTP/1.0 has no Transfer-Encoding.")
    }
    // RFC 9112 §6.3: without a final chunked the length cannot be known.
    guard endsWithChunked && chunkedCount == 1 else {
      throw .framing(.badRequest, "Transfer-Encoding must end with chunked, applied once.")
    }
    guard codingCount == 1 else {
      throw .framing(.notImplemented, "The only transfer coding understood is chunked.")
    }
    return .chunked
  }

  /// RFC 9112 §9.3: whether the client can go on after the answer.
  func keepsAlive(minorVersion: Int) -> Bool {
    !asksToClose && (minorVersion > 0 || asksToKeepAlive)
  }

  /// RFC 9110 §8.6: digits only. A number too large for any body stays too large.
  private static func length(_ value: ArraySlice<UInt8>) throws(HTTPError) -> Int {
    guard !value.isEmpty, value.allSatisfy(ASCII.isDigit) else {
      throw .framing(.badRequest, "Content-Length must be one decimal number.")
    }
    var length = 0
    for digit in value {
      let (tenfold, overflow) = length.multipliedReportingOverflow(by: 10)
      let (sum, overflow2) = tenfold.addingReportingOverflow(Int(digit - ASCII.zero))
      if overflow || overflow2 { return .max }
      length = sum
    }
    return length
  }

  /// RFC 9110 §5.6.1: the elements of a list, without white space; empty ones are passed over.
  private static func forEachElement(
    _ bytes: [UInt8], _ value: Range<Int>, _ body: (Range<Int>) -> Void
  ) {
    for element in bytes[value].split(separator: ASCII.comma) {
      let trimmed = bytes.trimmingBlanks(element.startIndex..<element.endIndex)
      if !trimmed.isEmpty { body(trimmed) }
    }
  }
}

extension [UInt8] {
  /// `range` without the spaces and tabs at its ends.
  func trimmingBlanks(_ range: Range<Int>) -> Range<Int> {
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high, ASCII.isBlank(self[low]) { low += 1 }
    while low < high, ASCII.isBlank(self[high - 1]) { high -= 1 }
    return low..<high
  }
}
