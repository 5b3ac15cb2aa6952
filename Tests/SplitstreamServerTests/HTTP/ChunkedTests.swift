import Testing

@testable import SplitstreamServer

/// A chunked body ends where its framing says, to the byte: what follows is the next request.
@Suite struct ChunkedTests {
  private static let head =
    "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

  @Test(
    "malformed framing",
    arguments: [
      "\r\n", "x\r\n", "+1\r\n", "-1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1\nx", "1\rx", "1;\r\n",
      "1;a=\r\n", "1;a b\r\n", "1;a \r\n", "1;a=b c\r\n", "1;a=\"b\r\n", "1;a=\"b\u{7f}\"\r\n",
      "1;=b\r\n", "1;a=\"b\"c\r\n", "1,2\r\n", "1\r\nxx\r\n", "1\r\nx\n", "1\r\nx\r0",
      "0\r\nX : a\r\n", "0\r\nX: a\n", "0\r\n X: a\r\n", "0\r\n\n", "0\r\n\rx\n",
    ])
  func malformed(_ body: String) {
    expectEverySplit(Self.head + body, ["400"])
  }

  @Test(
    "sizes past the limit, and past any integer, are refused at once",
    arguments: [
      "11", "1000", "7fffffffffffffff", "ffffffffffffffff", "10000000000000000",
      "ffffffffffffffffffff",
    ])
  func sizes(_ size: String) {
    expectEverySplit(Self.head + size + "\r\n", ["413"], bodyBytesMax: 16)
  }

  @Test("a body of exactly the limit is taken, in one chunk or many")
  func limit() {
    expectEverySplit(Self.head + "4\r\nabcd\r\n0\r\n\r\n", ["POST /p body=abcd"], bodyBytesMax: 4)
    let single = "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n"
    expectEverySplit(Self.head + single + "0\r\n\r\n", ["POST /p body=abcd"], bodyBytesMax: 4)
    expectEverySplit(Self.head + single + "1\r\ne", ["413"], bodyBytesMax: 4)
  }

  @Test(
    "what is not data counts too: extensions, trailers, needless zeros",
    arguments: [
      "1;" + String(repeating: "e", count: 100), "0\r\nX: " + String(repeating: "t", count: 100),
      String(repeating: "0", count: 100),
    ])
  func overhead(_ body: String) {
    expectEverySplit(Self.head + body, ["413"], bodyBytesMax: 64)
  }

  @Test("a trailer section has the limits of a head")
  func trailers() {
    let limits = RequestLimits(headBytesMax: 90, fieldCountMax: 3)
    let fields = "X: a\r\nX: a\r\nX: a\r\n"
    expectEverySplit(Self.head + "0\r\n" + fields + "\r\n", ["POST /p"], limits)
    expectEverySplit(Self.head + "0\r\n" + fields + "X: a\r\n", ["431"], limits)
    expectEverySplit(Self.head + "0\r\nX: " + String(repeating: "t", count: 90), ["431"], limits)
  }

  private func expectEverySplit(
    _ text: String, _ expected: [String], _ limits: RequestLimits = RequestLimits(),
    bodyBytesMax: Int = 1 << 20, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let bytes = [UInt8](text.utf8)
    let whole = RequestFeed.whole(bytes, limits: limits, bodyBytesMax: bodyBytesMax)
    #expect(whole.outcomes == expected, sourceLocation: sourceLocation)
    for positions in (0...bytes.count).map({ [$0] }) + [Array(0..<bytes.count)] {
      let feed = RequestFeed.cut(bytes, at: positions, limits: limits, bodyBytesMax: bodyBytesMax)
      #expect(feed.outcomes == expected, "cut at \(positions)", sourceLocation: sourceLocation)
    }
  }
}
