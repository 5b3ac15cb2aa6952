import Testing

@testable import SplitstreamServer

/// Each limit holds to the byte, and is refused with its status the same way whole and in parts.
@Suite struct RequestLimitTests {
  private let limits = RequestLimits(requestLineBytesMax: 30, headBytesMax: 60, fieldCountMax: 4)

  /// A request line of `count` bytes with its CR LF.
  private func line(_ count: Int) -> String {
    "GET /" + String(repeating: "a", count: count - 16) + " HTTP/1.1\r\n"
  }

  @Test("a request line: 414")
  func requestLine() {
    expect(line(30) + "Host: a\r\n\r\n", ["GET /" + String(repeating: "a", count: 14)])
    expect(line(31) + "Host: a\r\n\r\n", ["414"])
    // Too long before it is malformed, also when its end is not there.
    expect(String(repeating: "a", count: 31), ["414"])
    expect(String(repeating: "a", count: 30), [])
  }

  @Test("a head: 431")
  func head() {
    let host = "Host: a\r\n"
    func field(_ count: Int) -> String { "X: " + String(repeating: "b", count: count - 5) + "\r\n" }
    expect(line(30) + host + field(19) + "\r\n", ["GET /" + String(repeating: "a", count: 14)])
    expect(line(30) + host + field(20) + "\r\n", ["431"])
    expect(line(30) + host + "bad" + String(repeating: "b", count: 20), ["431"])
  }

  @Test("fields: 431")
  func fieldCount() {
    expect(line(17) + "Host: a\r\nA:\r\nA:\r\nA:\r\n\r\n", ["GET /a"])
    expect(line(17) + "Host: a\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n", ["431"])
  }

  @Test("the defaults serve a request line of 8,000 bytes and refuse one above 16 kB")
  func defaults() {
    let host = "Host: a\r\n\r\n"
    #expect(RequestFeed.whole([UInt8]((line(8_000) + host).utf8)).requests.count == 1)
    #expect(RequestFeed.whole([UInt8]((line(16_001) + host).utf8)).outcomes == ["414"])
    let fields = String(repeating: "A: b\r\n", count: 99)
    #expect(RequestFeed.whole([UInt8]((line(20) + fields + host).utf8)).requests.count == 1)
    #expect(
      RequestFeed.whole([UInt8]((line(20) + fields + "A: b\r\n" + host).utf8)).outcomes == ["431"])
  }

  @Test("a body may have the limit asked for its head, and 100 is due only when it is within")
  func body() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: "
    let within = RequestFeed.whole([UInt8]((head + "4\r\n\r\n").utf8), bodyBytesMax: 4)
    #expect(within.outcomes == [] && within.continues == 1)
    let beyond = RequestFeed.whole([UInt8]((head + "5\r\n\r\n").utf8), bodyBytesMax: 4)
    #expect(beyond.outcomes == ["413"] && beyond.continues == 0)
    let sent = RequestFeed.whole([UInt8]((head + "4\r\n\r\na").utf8), bodyBytesMax: 4)
    #expect(sent.outcomes == [] && sent.continues == 0)
    let none = RequestFeed.whole([UInt8]((head + "0\r\n\r\n").utf8), bodyBytesMax: 4)
    #expect(none.outcomes == ["POST /"] && none.continues == 0)
    let old = head.replacing("1.1", with: "1.0")
    #expect(RequestFeed.whole([UInt8]((old + "4\r\n\r\n").utf8)).continues == 0)
    let chunked =
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    #expect(RequestFeed.whole([UInt8](chunked.utf8)).continues == 1)
    #expect(RequestFeed.whole([UInt8]((chunked + "1").utf8)).continues == 0)
  }

  private func expect(
    _ text: String, _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let bytes = [UInt8](text.utf8)
    #expect(
      RequestFeed.whole(bytes, limits: limits).outcomes == expected, sourceLocation: sourceLocation)
    for positions in (0...bytes.count).map({ [$0] }) + [Array(0..<bytes.count)] {
      let feed = RequestFeed.cut(bytes, at: positions, limits: limits)
      #expect(feed.outcomes == expected, "cut at \(positions)", sourceLocation: sourceLocation)
    }
  }
}
