/// Cuts the bytes of a connection into replies, however they arrive (RFC 9112 §6, as seen by a
/// client).
struct ServerReplyParser {
  static let headBytesMax = 32 * 1024
  static let bodyBytesMax = 16 * 1024 * 1024
  static let chunkLineBytesMax = 1024

  private var buffer: [UInt8] = []
  private var position = 0
  /// Where to go on looking for a line's end, so that a long wait for it costs no second look.
  private var searched = 0
  private var state = State.statusLine
  /// As much of the reply as has been read.
  private var reply = ServerReply(status: 0, fields: [], keepsConnection: false)

  private enum State {
    case statusLine
    case fields(isHTTP11: Bool, bytesLeft: Int)
    case body(bytesLeft: Int)
    case untilClose
    case chunkSize
    case chunk(bytesLeft: Int)
    case chunkEnd
    case trailer(bytesLeft: Int)
  }

  /// Nothing of another reply has arrived.
  var isBetweenReplies: Bool {
    if case .statusLine = state { return position == buffer.count }
    return false
  }

  mutating func append(_ bytes: some Collection<UInt8>) {
    if position == buffer.count {
      buffer.removeAll(keepingCapacity: true)
      (position, searched) = (0, 0)
    }
    buffer.append(contentsOf: bytes)
  }

  /// The next whole reply; nil when more bytes are needed. Interim replies (1xx) are passed over.
  mutating func next() throws(ClientError) -> ServerReply? {
    while true {
      switch state {
      case .statusLine:
        guard let line = try readLine(bytesMax: Self.headBytesMax) else { return nil }
        let (isHTTP11, status) = try ReplyGrammar.statusLine(line)
        reply = ServerReply(status: status, fields: [], keepsConnection: false)
        state = .fields(isHTTP11: isHTTP11, bytesLeft: Self.headBytesMax - line.count)
      case .fields(let isHTTP11, let bytesLeft):
        guard let line = try readLine(bytesMax: bytesLeft) else { return nil }
        if line.isEmpty {
          reply.keepsConnection = Self.keepsConnection(reply.fields, isHTTP11: isHTTP11)
          state = try stateAfterHead()
        } else {
          reply.fields.append(try ReplyGrammar.field(line))
          state = .fields(isHTTP11: isHTTP11, bytesLeft: bytesLeft - line.count - 2)
        }
      case .body(let bytesLeft):
        let left = take(bytesLeft)
        guard left > 0 else { return finish() }
        state = .body(bytesLeft: left)
        return nil
      case .untilClose:
        _ = take(.max)
        try checkBodySize(reply.body.count)
        return nil
      case .chunkSize:
        guard let line = try readLine(bytesMax: Self.chunkLineBytesMax) else { return nil }
        guard let size = ReplyGrammar.chunkSize(line) else {
          throw .malformed(reason: "a chunk without a size")
        }
        try checkBodySize(reply.body.count + size)
        state = size == 0 ? .trailer(bytesLeft: Self.headBytesMax) : .chunk(bytesLeft: size)
      case .chunk(let bytesLeft):
        let left = take(bytesLeft)
        state = left == 0 ? .chunkEnd : .chunk(bytesLeft: left)
        if left > 0 { return nil }
      case .chunkEnd:
        guard let line = try readLine(bytesMax: 2) else { return nil }
        guard line.isEmpty else { throw .malformed(reason: "a chunk longer than its size") }
        state = .chunkSize
      case .trailer(let bytesLeft):
        // Trailer fields are read and forgotten (RFC 9112 §7.1.2).
        guard let line = try readLine(bytesMax: bytesLeft) else { return nil }
        if line.isEmpty { return finish() }
        state = .trailer(bytesLeft: bytesLeft - line.count - 2)
      }
    }
  }

  /// The server has closed its side: the reply that this completes, if there is one.
  mutating func end() throws(ClientError) -> ServerReply? {
    if case .untilClose = state { return finish() }
    guard isBetweenReplies else { throw .interrupted(reason: "closed in the middle of an answer") }
    return nil
  }

  // MARK: Details

  /// RFC 9112 §6.3: what the head says about the length of the body.
  private func stateAfterHead() throws(ClientError) -> State {
    if (100...199).contains(reply.status) { return .statusLine }
    if reply.status == 204 || reply.status == 304 { return .body(bytesLeft: 0) }
    let codings = reply.fields.filter { $0.name == "transfer-encoding" }
    let lengths = reply.fields.filter { $0.name == "content-length" }
    if !codings.isEmpty {
      guard lengths.isEmpty, codings.count == 1, codings[0].value.lowercased() == "chunked" else {
        throw .malformed(reason: "the length of the body is said in two ways")
      }
      return .chunkSize
    }
    guard let length = lengths.first else { return .untilClose }
    guard lengths.count == 1, let bytes = ReplyGrammar.decimal(Array(length.value.utf8)[...])
    else {
      throw .malformed(reason: "Content-Length is not one number")
    }
    try checkBodySize(bytes)
    return .body(bytesLeft: bytes)
  }

  /// RFC 9112 §9.3: `Connection` is a list; HTTP/1.0 closes unless it says otherwise.
  private static func keepsConnection(
    _ fields: [(name: String, value: String)], isHTTP11: Bool
  ) -> Bool {
    let options = fields.filter { $0.name == "connection" }
      .flatMap { $0.value.lowercased().split { $0 == "," || $0 == " " || $0 == "\t" } }
    if options.contains("close") { return false }
    return isHTTP11 || options.contains("keep-alive")
  }

  private func checkBodySize(_ bytes: Int) throws(ClientError) {
    guard bytes <= Self.bodyBytesMax else {
      throw .malformed(reason: "an answer longer than \(Self.bodyBytesMax) bytes")
    }
  }

  private mutating func finish() -> ServerReply {
    if case .untilClose = state { reply.keepsConnection = false }
    state = .statusLine
    return reply
  }

  /// Moves up to `count` bytes to the body; how many are still missing.
  private mutating func take(_ count: Int) -> Int {
    let taken = min(count, buffer.count - position)
    reply.body.append(contentsOf: buffer[position..<position + taken])
    position += taken
    searched = position
    return count - taken
  }

  /// One line without its CRLF; nil when its end has not arrived.
  private mutating func readLine(bytesMax: Int) throws(ClientError) -> ArraySlice<UInt8>? {
    let start = position
    guard let lineFeed = buffer[max(searched, start)...].firstIndex(of: 0x0a) else {
      searched = buffer.count
      guard buffer.count - start <= bytesMax else { throw .malformed(reason: "an endless line") }
      return nil
    }
    guard lineFeed > start, buffer[lineFeed - 1] == 0x0d, lineFeed + 1 - start <= bytesMax else {
      throw .malformed(reason: "a line without CRLF, or too long")
    }
    position = lineFeed + 1
    searched = position
    return buffer[start..<lineFeed - 1]
  }
}
