import Testing

@testable import SplitstreamServer

/// A reply means the same however its bytes arrive: whole, cut anywhere, one at a time.
@Suite struct ServerReplyParserTests {
  private func replies(_ pieces: [ArraySlice<UInt8>]) throws(ClientError) -> [ServerReply] {
    var parser = ServerReplyParser()
    var replies: [ServerReply] = []
    for piece in pieces {
      parser.append(piece)
      while let reply = try parser.next() { replies.append(reply) }
    }
    if let last = try parser.end() { replies.append(last) }
    return replies
  }

  private func everyCut(_ text: String, _ check: ([ServerReply]) -> Void) throws {
    let bytes = Array(text.utf8)
    check(try replies([bytes[...]]))
    for cut in 1..<bytes.count { check(try replies([bytes[..<cut], bytes[cut...]])) }
    check(try replies(bytes.indices.map { bytes[$0...$0] }))
  }

  private func body(_ reply: ServerReply) -> String { String(decoding: reply.body, as: UTF8.self) }

  @Test func contentLength() throws {
    try everyCut(
      "HTTP/1.1 202 Accepted\r\nContent-Length:  5 \r\nX-Id: a:b\r\n\r\nhello"
        + "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200\r\ncontent-length: 0\r\n\r\n"
    ) { replies in
      #expect(replies.map(\.status) == [202, 204, 200])
      #expect(replies.map(body) == ["hello", "", ""])
      #expect(replies.first?["x-id"] == "a:b")
      #expect(!replies.contains { !$0.keepsConnection })
    }
  }

  @Test func chunked() throws {
    try everyCut(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "5;name=value\r\nhello\r\n00A\r\n, chunked!\r\n0\r\nTrailer: x\r\n\r\n"
        + "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!"
    ) { replies in
      #expect(replies.map(body) == ["hello, chunked!", "!"])
    }
  }

  @Test func untilTheConnectionEnds() throws {
    try everyCut("HTTP/1.1 200 OK\r\n\r\nall the rest\r\n") { replies in
      #expect(replies.map(body) == ["all the rest\r\n"])
      #expect(!replies.contains { $0.keepsConnection })
    }
  }

  @Test func interimRepliesArePassedOver() throws {
    try everyCut(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    ) { replies in
      #expect(replies.map(\.status) == [200])
      #expect(replies.map(body) == ["ok"])
    }
  }

  @Test(
    "who closes",
    arguments: [
      ("HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\n", false), ("HTTP/1.0 200 OK\r\n", false),
      ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", true), ("HTTP/1.1 200 OK\r\n", true),
    ])
  func connection(head: String, keeps: Bool) throws {
    try everyCut(head + "Content-Length: 0\r\n\r\n") { replies in
      #expect(replies.map(\.keepsConnection) == [keeps])
    }
  }

  @Test(
    "what is not HTTP/1.1 is refused",
    arguments: [
      "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 +20 OK\r\n\r\n",
      "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\n\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 16777217\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n",
    ])
  func malformed(text: String) {
    let bytes = Array(text.utf8)
    for pieces in [[bytes[...]], bytes.indices.map { bytes[$0...$0] }] {
      let error = #expect(throws: ClientError.self) { try replies(pieces) }
      guard case .malformed = error else {
        Issue.record("\(text.debugDescription): \(String(describing: error))")
        return
      }
    }
  }

  @Test func endlessHeadsAreRefused() {
    let head = Array("HTTP/1.1 200 OK\r\n".utf8)
    let line = Array("x-filler: 0123456789\r\n".utf8)
    let lines = Array(repeating: line[...], count: ServerReplyParser.headBytesMax / line.count + 1)
    #expect(throws: ClientError.self) { try replies([head[...]] + lines) }
    let long = [UInt8](repeating: 0x78, count: ServerReplyParser.headBytesMax + 1)
    #expect(throws: ClientError.self) { try replies([long[...]]) }
  }

  @Test func anEndInTheMiddleIsAnInterruption() {
    let text = Array("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".utf8)
    for cut in 1..<text.count {
      #expect(throws: ClientError.interrupted(reason: "closed in the middle of an answer")) {
        try replies([text[..<cut]])
      }
    }
  }

  @Test(
    "Retry-After in seconds",
    arguments: [("2", 2), ("-1", nil), ("Wed, 21 Oct 2015 07:28:00 GMT", nil)] as [(String, Int?)])
  func retryAfter(value: String, seconds: Int?) {
    let reply = ServerReply(status: 503, fields: [("retry-after", value)], keepsConnection: true)
    #expect(reply.retryAfterSeconds == seconds)
  }
}
