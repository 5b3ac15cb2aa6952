/// A request line, RFC 9112 §3, as offsets into its message.
struct RequestLine: Sendable {
  let method: HTTPMethod
  let target: RequestTarget
  let minorVersion: Int

  /// - Parameters:
  ///   - line: the line without its CRLF.
  ///   - start: where the message starts; the target's offsets count from here.
  init(_ bytes: borrowing [UInt8], line: Range<Int>, from start: Int) throws(HTTPError) {
    var index = line.lowerBound
    while index < line.upperBound, ASCII.token.contains(bytes[index]) { index += 1 }
    guard index > line.lowerBound, index < line.upperBound, bytes[index] == ASCII.space else {
      throw .framing(.badRequest, "The request line does not start with a method and a space.")
    }
    method = HTTPMethod(token: bytes, line.lowerBound..<index)

    let targetStart = index + 1
    index = targetStart
    while index < line.upperBound, bytes[index] != ASCII.space { index += 1 }
    guard index > targetStart, index < line.upperBound else {
      throw .framing(.badRequest, "The request line is not method, target and version.")
    }
    minorVersion = try Self.minorVersion(bytes, index + 1..<line.upperBound)
    target = try RequestTarget(bytes, targetStart..<index, method: method, from: start)
  }

  /// RFC 9112 §2.3: `HTTP/` DIGIT `.` DIGIT, case-sensitive.
  private static func minorVersion(
    _ bytes: [UInt8], _ range: Range<Int>
  ) throws(HTTPError) -> Int {
    let at = range.lowerBound
    guard range.count == 8,
      bytes[at] == UInt8(ascii: "H"), bytes[at + 1] == UInt8(ascii: "T"),
      bytes[at + 2] == UInt8(ascii: "T"), bytes[at + 3] == UInt8(ascii: "P"),
      bytes[at + 4] == ASCII.slash, bytes[at + 6] == UInt8(ascii: "."),
      ASCII.isDigit(bytes[at + 5]), ASCII.isDigit(bytes[at + 7])
    else { throw .framing(.badRequest, "The request line does not end with an HTTP version.") }
    guard bytes[at + 5] == UInt8(ascii: "1") else {
      throw .framing(.versionNotSupported, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    }
    // RFC 9110 §2.5: a higher minor version is read as the highest we know.
    return bytes[at + 7] == ASCII.zero ? 0 : 1
  }
}

/// The path and the query of a request target, RFC 9112 §3.2, as offsets from the start of their
/// message.
struct RequestTarget: Sendable {
  /// Empty for an absolute-form without a path.
  let path: Range<UInt32>
  let query: Range<UInt32>

  init(
    _ bytes: borrowing [UInt8], _ range: Range<Int>, method: HTTPMethod, from start: Int
  ) throws(HTTPError) {
    if method == .connect {
      throw .framing(.notImplemented, "This server is not a proxy.")
    }
    var pathStart = range.lowerBound
    if bytes[pathStart] != ASCII.slash {
      if range.count == 1, bytes[pathStart] == ASCII.asterisk {
        guard method == .options else {
          throw .framing(.badRequest, "Only OPTIONS may have the target *.")
        }
        path = UInt32(pathStart - start)..<UInt32(range.upperBound - start)
        query = path.upperBound..<path.upperBound
        return
      }
      // RFC 9112 §3.2.2: absolute-form is for proxies, and still a server MUST accept it.
      pathStart = try Self.endOfAuthority(bytes, range)
    }
    var index = pathStart
    index = try Self.scan(bytes, index..<range.upperBound, ASCII.path)
    path = UInt32(pathStart - start)..<UInt32(index - start)
    if index < range.upperBound, bytes[index] == ASCII.question {
      index = try Self.scan(bytes, index + 1..<range.upperBound, ASCII.query)
      query = path.upperBound + 1..<UInt32(index - start)
    } else {
      query = path.upperBound..<path.upperBound
    }
    guard index == range.upperBound else {
      throw .framing(.badRequest, "The request target has a byte that must be percent-encoded.")
    }
  }

  /// The end of the bytes in `set`; every "%" among them starts an escape.
  private static func scan(
    _ bytes: [UInt8], _ range: Range<Int>, _ set: ByteSet
  ) throws(HTTPError) -> Int {
    var index = range.lowerBound
    while index < range.upperBound, set.contains(bytes[index]) {
      if bytes[index] == ASCII.percent {
        guard index + 2 < range.upperBound, ASCII.hexValue(bytes[index + 1]) != nil,
          ASCII.hexValue(bytes[index + 2]) != nil
        else { throw .framing(.badRequest, "The request target has a malformed percent-escape.") }
      }
      index += 1
    }
    return index
  }

  /// Checks `http://authority` or `https://authority` and returns where it ends.
  private static func endOfAuthority(
    _ bytes: [UInt8], _ range: Range<Int>
  ) throws(HTTPError) -> Int {
    var start = range.lowerBound
    for scheme in ["http://", "https://"] as [StaticString] {
      let length = scheme.utf8CodeUnitCount
      if range.count > length, bytes.matches(scheme, in: start..<start + length) {
        start += length
        break
      }
    }
    guard start > range.lowerBound else {
      throw .framing(.badRequest, "The request target is neither a path nor an http URI.")
    }
    var end = start
    while end < range.upperBound, bytes[end] != ASCII.slash, bytes[end] != ASCII.question {
      end += 1
    }
    // RFC 9110 §4.2.1: an http URI with an empty host is invalid.
    guard start < end, bytes[start] != ASCII.colon, Authority.isValid(bytes, start..<end) else {
      throw .framing(.badRequest, "The request target has an invalid host.")
    }
    return end
  }
}
