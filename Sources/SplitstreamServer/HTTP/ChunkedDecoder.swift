/// Removes the chunked transfer coding, RFC 9112 §7.1, byte by byte in its framing and in bulk in
/// its data.
///
/// Extensions are checked against the grammar and dropped, trailer fields too: they never act as
/// header fields.
struct ChunkedDecoder: Sendable {
  var isComplete: Bool { state == .complete }

  private let bodyBytesMax: Int
  private let trailerLimits: RequestLimits
  private var state = State.size
  private var sizeDigits = 0
  /// What remains of the chunk being read.
  private var remaining = 0
  /// What the body limit has been spent on: data announced, extensions, trailers, needless zeros;
  /// not line ends.
  private var spent = 0
  private var trailerLine: [UInt8] = []
  private var trailerBytes = 0
  private var trailerCount = 0

  private enum State: Sendable {
    case size, beforeExtension, extensionNameStart, extensionName, afterExtensionName
    case extensionValueStart, extensionToken, quoted, quotedPair, afterQuoted
    case sizeLineFeed, data, dataReturn, dataLineFeed
    case trailer, complete
  }

  init(bodyBytesMax: Int, trailerLimits: RequestLimits) {
    // Sixteen times the limit must still be a number.
    self.bodyBytesMax = min(bodyBytesMax, .max >> 8)
    self.trailerLimits = trailerLimits
  }

  /// Appends the data found in `window` to `body` and returns how many bytes of the window were
  /// read.
  mutating func decode(
    _ bytes: [UInt8], _ window: Range<Int>, into body: inout [UInt8]
  ) throws(HTTPError) -> Int {
    var index = window.lowerBound
    while index < window.upperBound, state != .complete {
      if state == .data {
        let count = min(remaining, window.upperBound - index)
        body.append(contentsOf: bytes[index..<index + count])
        index += count
        remaining -= count
        if remaining == 0 { state = .dataReturn }
      } else {
        try step(bytes[index])
        index += 1
      }
    }
    return index - window.lowerBound
  }

  static func tooLarge(_ bytesMax: Int) -> HTTPError {
    .framing(.contentTooLarge, "The request body may have at most \(bytesMax) bytes.")
  }

  private mutating func step(_ byte: UInt8) throws(HTTPError) {
    switch state {
    case .size: try stepSize(byte)
    case .sizeLineFeed:
      try expect(byte, ASCII.lineFeed, then: remaining > 0 ? .data : .trailer)
      sizeDigits = 0
    case .dataReturn: try expect(byte, ASCII.carriageReturn, then: .dataLineFeed)
    case .dataLineFeed: try expect(byte, ASCII.lineFeed, then: .size)
    case .trailer: try stepTrailer(byte)
    case .data, .complete: break
    default: try stepExtension(byte)
    }
  }

  private mutating func stepSize(_ byte: UInt8) throws(HTTPError) {
    if let digit = ASCII.hexValue(byte) {
      sizeDigits += 1
      if sizeDigits > 16 { try spend(1) }
      // A size past the limit is refused at this digit, long before it could overflow.
      remaining = remaining << 4 | Int(digit)
      guard remaining <= bodyBytesMax - spent else { throw Self.tooLarge(bodyBytesMax) }
      return
    }
    guard sizeDigits > 0 else { throw Self.malformed }
    try spend(remaining)
    switch byte {
    case ASCII.carriageReturn: state = .sizeLineFeed
    case ASCII.semicolon: state = .extensionNameStart
    case ASCII.space, ASCII.tab: state = .beforeExtension
    default: throw Self.malformed
    }
    if state != .sizeLineFeed { try spend(1) }
  }

  /// RFC 9112 §7.1.1: *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ).
  private mutating func stepExtension(_ byte: UInt8) throws(HTTPError) {
    let isBlank = ASCII.isBlank(byte)
    let isToken = ASCII.token.contains(byte)
    switch state {
    case .beforeExtension where isBlank, .extensionNameStart where isBlank,
      .afterExtensionName where isBlank, .extensionValueStart where isBlank:
      break
    case .extensionNameStart where isToken, .extensionName where isToken: state = .extensionName
    case .extensionValueStart where isToken, .extensionToken where isToken: state = .extensionToken
    case .extensionName where isBlank: state = .afterExtensionName
    case .extensionToken where isBlank, .afterQuoted where isBlank: state = .beforeExtension
    case .extensionName where byte == ASCII.equals, .afterExtensionName where byte == ASCII.equals:
      state = .extensionValueStart
    case .extensionValueStart where byte == ASCII.quote: state = .quoted
    case .quoted where byte == ASCII.quote: state = .afterQuoted
    case .quoted where byte == ASCII.backslash: state = .quotedPair
    case .quoted where ASCII.isFieldContent(byte), .quotedPair where ASCII.isFieldContent(byte):
      state = .quoted
    case .beforeExtension, .extensionName, .afterExtensionName, .extensionToken, .afterQuoted:
      if byte == ASCII.semicolon {
        state = .extensionNameStart
      } else if byte == ASCII.carriageReturn, state != .beforeExtension,
        state != .afterExtensionName
      {
        state = .sizeLineFeed
      } else {
        throw Self.malformed
      }
    default: throw Self.malformed
    }
    if byte != ASCII.carriageReturn { try spend(1) }
  }

  private mutating func stepTrailer(_ byte: UInt8) throws(HTTPError) {
    trailerLine.append(byte)
    trailerBytes += 1
    guard trailerBytes <= trailerLimits.headBytesMax else {
      throw .framing(.headTooLarge, "The request's trailer section is too large.")
    }
    guard byte == ASCII.lineFeed else { return byte == ASCII.carriageReturn ? () : try spend(1) }
    let end = trailerLine.count - 2
    guard end >= 0, trailerLine[end] == ASCII.carriageReturn else { throw Self.malformed }
    if end == 0 {
      state = .complete
      return
    }
    trailerCount += 1
    guard trailerCount <= trailerLimits.fieldCountMax else {
      throw .framing(.headTooLarge, "The request has too many trailer fields.")
    }
    _ = try HeaderField(trailerLine, line: 0..<end, from: 0)
    trailerLine.removeAll(keepingCapacity: true)
  }

  private mutating func spend(_ count: Int) throws(HTTPError) {
    guard count <= bodyBytesMax - spent else { throw Self.tooLarge(bodyBytesMax) }
    spent += count
  }

  private mutating func expect(
    _ byte: UInt8, _ expected: UInt8, then next: State
  ) throws(HTTPError) {
    guard byte == expected else { throw Self.malformed }
    state = next
  }

  private static let malformed = HTTPError.framing(
    .badRequest, "The body is not well-formed in its chunked transfer coding.")
}
