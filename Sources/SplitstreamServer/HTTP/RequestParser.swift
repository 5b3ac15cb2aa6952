/// Reads requests one after the other from the bytes of one connection.
///
/// A pure value: its answers depend on the bytes alone, not on how they were cut into pieces. Every
/// limit is checked before what crosses it is looked at, so that a long line is refused the same
/// way whole or in parts.
struct RequestParser: Sendable {
  /// What the next byte belongs to.
  private(set) var stage = Stage.idle
  /// How many bytes of the window the last call needs no longer. The next window starts after them.
  private(set) var consumed = 0
  /// Whether the client may send another request after the one returned or refused last.
  private(set) var keepsAlive = true

  private let limits: RequestLimits
  private var emptyLineSkipped = false
  /// Offsets from the start of the window: where the unread line starts, and up to where it has no
  /// line feed.
  private var lineStart = 0
  private var searched = 0
  private var line: RequestLine?
  private var fields: [HeaderField] = []
  private var framing = MessageFraming()
  /// The bytes of the head that `line`, `fields` and `framing` were read from, once it is whole. A
  /// client's next request often begins with the same ones, and they say the same.
  private var knownHead: [UInt8] = []
  private var headLength = 0
  private var bodyLength = 0
  private var continueIsDue = false
  /// The head and the decoded body of a chunked request, gathered apart from the connection's
  /// bytes.
  private var gathered: [UInt8] = []
  private var chunks: ChunkedDecoder?

  enum Stage: Sendable {
    /// Between two requests.
    case idle
    case head
    case body
  }

  init(limits: RequestLimits) {
    self.limits = limits
  }

  /// The bytes that are there of the body being read, so many bytes being in the window.
  func bodyBytes(windowCount: Int) -> Int {
    // The head stays in the window, or was gathered before the chunks.
    stage == .body ? windowCount + gathered.count - headLength : 0
  }

  /// Lets go of what the next request would only use again.
  mutating func releaseMemory() {
    if stage == .idle {
      fields = []
      knownHead = []
    }
  }

  /// Whether the answer to the request begun goes without its body.
  var answersHead: Bool { line?.method == .head }

  /// The next request, or nil until more bytes have arrived.
  ///
  /// - Parameters:
  ///   - window: the bytes not consumed yet; it starts where the last one's consumed bytes ended.
  ///   - bodyBytesMax: asked once for each request with a body, when its head is complete; the body
  ///     is empty then.
  mutating func next(
    in bytes: [UInt8], _ window: Range<Int>, bodyBytesMax: (Request) -> Int
  ) throws(HTTPError) -> Request? {
    consumed = 0
    if stage == .idle {
      guard try begin(bytes, window) else { return nil }
    }
    let start = window.lowerBound + consumed
    if stage == .head {
      guard try readHead(bytes, start..<window.upperBound) else { return nil }
      if let request = try endHead(bytes, start, bodyBytesMax) { return request }
    }
    if chunks != nil {
      return try readChunks(bytes, window.lowerBound + consumed..<window.upperBound)
    }
    let available = window.upperBound - start - headLength
    if available > 0 { continueIsDue = false }
    return available < bodyLength ? nil : finish(bytes, start)
  }

  /// Whether `100 (Continue)` must be sent now: once, when the client waits for it before it sends
  /// the body.
  mutating func takeContinue() -> Bool {
    defer { continueIsDue = false }
    return continueIsDue
  }

  // MARK: Head

  /// Starts a request with its first byte. False: there is none yet.
  private mutating func begin(_ bytes: [UInt8], _ window: Range<Int>) throws(HTTPError) -> Bool {
    guard let first = bytes[window].first else { return false }
    var start = window.lowerBound
    // RFC 9112 §2.2: an empty line before the request line is passed over; we do so once.
    if first == ASCII.carriageReturn && !emptyLineSkipped {
      guard window.count > 1 else { return false }
      guard bytes[start + 1] == ASCII.lineFeed else {
        throw .framing(.badRequest, "The request starts with a carriage return.")
      }
      emptyLineSkipped = true
      consumed = 2
      start += 2
      if start == window.upperBound { return false }
    }
    // A client that speaks TLS or something else is told at once, not after a time-out.
    guard ASCII.token.contains(bytes[start]) else {
      throw .framing(.badRequest, "The request does not start with a method.")
    }
    stage = .head
    keepsAlive = false
    if isKnownHead(bytes, start..<window.upperBound) { return true }
    lineStart = 0
    searched = 0
    line = nil
    fields.removeAll(keepingCapacity: true)
    framing = MessageFraming()
    knownHead.removeAll(keepingCapacity: true)
    return true
  }

  private func isKnownHead(_ bytes: [UInt8], _ window: Range<Int>) -> Bool {
    let end = window.lowerBound + knownHead.count
    guard !knownHead.isEmpty, end <= window.upperBound else { return false }
    return bytes[window.lowerBound..<end].isSame(as: knownHead)
  }

  /// Reads the lines that are complete. True: the empty line after the fields was among them.
  private mutating func readHead(_ bytes: [UInt8], _ window: Range<Int>) throws(HTTPError) -> Bool {
    if !knownHead.isEmpty { return true }
    let start = window.lowerBound
    while true {
      let lineFeed = bytes.firstLineFeed(in: start + searched..<window.upperBound)
      searched = (lineFeed.map { $0 + 1 } ?? window.upperBound) - start
      if line == nil && searched - lineStart > limits.requestLineBytesMax {
        throw .framing(.uriTooLong, "The request line is too long.")
      }
      if searched > limits.headBytesMax {
        throw .framing(.headTooLarge, "The request's head is too large.")
      }
      guard let lineFeed else { return false }
      let lineEnd = lineFeed - 1
      // RFC 9112 §2.2 lets a server take a bare LF as a line end; two readings of one message are
      // what smuggling needs.
      guard lineEnd >= start + lineStart, bytes[lineEnd] == ASCII.carriageReturn else {
        throw .framing(.badRequest, "A line of the head does not end with CR LF.")
      }
      let range = start + lineStart..<lineEnd
      lineStart = searched
      if line == nil {
        line = try RequestLine(bytes, line: range, from: start)
      } else if range.isEmpty {
        knownHead.append(contentsOf: bytes[start..<start + lineStart])
        return true
      } else {
        guard fields.count < limits.fieldCountMax else {
          throw .framing(.headTooLarge, "The request has too many header fields.")
        }
        let field = try HeaderField(bytes, line: range, from: start)
        try framing.add(field, in: bytes, from: start)
        fields.append(field)
      }
    }
  }

  /// Decides where the message ends. Returns the request when it has no body.
  private mutating func endHead(
    _ bytes: [UInt8], _ start: Int, _ bodyBytesMax: (Request) -> Int
  ) throws(HTTPError) -> Request? {
    guard let line else { preconditionFailure("a head ended without a request line") }
    let body = try framing.body(minorVersion: line.minorVersion)
    headLength = lineStart
    bodyLength = 0
    keepsAlive = framing.keepsAlive(minorVersion: line.minorVersion)
    if body == .none || body == .length(0) { return finish(bytes, start) }

    if case .length(let length) = body, length <= limits.bodyBytesUnasked {
      bodyLength = length
    } else {
      let headEnd = start + headLength
      let head = Request(line, fields: fields, body: headEnd..<headEnd, in: bytes, from: start)
      try admit(body, upTo: bodyBytesMax(head), headOf: bytes[start..<headEnd])
    }
    stage = .body
    // RFC 9110 §10.1.1: HTTP/1.0 knows no 100, and nobody waits who has sent some of the body.
    continueIsDue = framing.expectsContinue && line.minorVersion > 0
    return nil
  }

  private mutating func admit(
    _ body: MessageFraming.Body, upTo bytesMax: Int, headOf head: ArraySlice<UInt8>
  ) throws(HTTPError) {
    if case .length(let length) = body {
      guard length <= bytesMax else { throw ChunkedDecoder.tooLarge(bytesMax) }
      bodyLength = length
    } else {
      // Nothing of the head is needed in the window any more.
      gathered = Array(head)
      consumed += headLength
      chunks = ChunkedDecoder(bodyBytesMax: bytesMax, trailerLimits: limits)
    }
  }

  // MARK: Body

  private mutating func readChunks(
    _ bytes: [UInt8], _ window: Range<Int>
  ) throws(HTTPError) -> Request? {
    if !window.isEmpty { continueIsDue = false }
    consumed += try chunks?.decode(bytes, window, into: &gathered) ?? 0
    guard let line, chunks?.isComplete == true else { return nil }
    let body = headLength..<gathered.count
    let request = Request(line, fields: fields, body: body, in: gathered, from: 0)
    gathered = []
    chunks = nil
    endMessage()
    return request
  }

  private mutating func finish(_ bytes: [UInt8], _ start: Int) -> Request {
    guard let line else { preconditionFailure("a message ended without a request line") }
    let body = start + headLength..<start + headLength + bodyLength
    consumed += headLength + bodyLength
    endMessage()
    return Request(line, fields: fields, body: body, in: bytes, from: start)
  }

  private mutating func endMessage() {
    stage = .idle
    emptyLineSkipped = false
    continueIsDue = false
  }
}
