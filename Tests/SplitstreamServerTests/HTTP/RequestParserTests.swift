import Testing

@testable import SplitstreamServer

/// Where a request ends and what it says must be read in one way only, however the network cuts it:
/// everything else is how requests are smuggled.
@Suite struct RequestParserTests {
  /// What is sent, and what must come of it.
  struct Case: CustomTestStringConvertible, Sendable {
    let sent: String
    let outcomes: [String]
    var testDescription: String { String(sent.debugDescription.prefix(90)) }

    init(_ sent: String, _ outcomes: String...) {
      self.sent = sent
      self.outcomes = outcomes
    }

    /// A request line and fields after a valid Host.
    init(fields: String, body: String = "", _ outcomes: String...) {
      sent = "POST /p HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n\(body)"
      self.outcomes = outcomes
    }
  }

  @Test("each request, whole and cut anywhere", arguments: good + bad)
  func everySplit(_ example: Case) {
    expectEverySplit([UInt8](example.sent.utf8), example.outcomes)
  }

  @Test("bytes that are not UTF-8")
  func rawBytes() {
    let head = [UInt8]("GET / HTTP/1.1\r\nHost: a\r\nX-Mark: ".utf8)
    expectEverySplit(head + [0xe9] + [UInt8]("\r\n\r\n".utf8), ["GET / x-mark=\u{FFFD}"])
    expectEverySplit([UInt8]("GET /".utf8) + [0xe9] + [UInt8](" HTTP/1.1\r\n".utf8), ["400"])
    expectEverySplit([0x16, 0x03, 0x01, 0x02], ["400"])
    // Full-width digits and the Kelvin sign equal their ASCII likes in Unicode, not in HTTP.
    expectEverySplit([UInt8]("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ５\r\n".utf8), ["400"])
    expectEverySplit(
      [UInt8]("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chun\u{212A}ed\r\n\r\n".utf8),
      ["400"])
  }

  @Test(
    "every control byte in a field value but a tab is refused",
    arguments: Array(0...31) + [127] as [UInt8])
  func controlBytes(_ byte: UInt8) {
    // Values are looked at eight bytes at a time, and what is left by itself.
    let value = [UInt8](repeating: UInt8(ascii: "b"), count: 19)
    for place in 1..<18 {
      var changed = value
      changed[place] = byte
      let sent =
        [UInt8]("GET / HTTP/1.1\r\nHost: a\r\nX: ".utf8) + changed + [UInt8]("\r\n\r\n".utf8)
      #expect(RequestFeed.whole(sent).outcomes == (byte == 9 ? ["GET /"] : ["400"]))
    }
  }

  @Test("a head that an idle connection has let go of is read again")
  func released() throws {
    var parser = RequestParser(limits: RequestLimits())
    let bytes = [UInt8]("GET / HTTP/1.1\r\nHost: a\r\nX-Mark: 1\r\n\r\n".utf8)
    for _ in 0..<2 {
      let request = try parser.next(in: bytes, bytes.indices) { _ in 0 }
      #expect(request?.headerText("x-mark") == "1")
      parser.releaseMemory()
    }
  }

  @Test("noise never ends the process, and splits change nothing")
  func noise() {
    var random = SplitMix64(seed: 7)
    let seeds = (Self.good + Self.bad).map { [UInt8]($0.sent.utf8) }.filter {
      (1..<400).contains($0.count)
    }
    for _ in 0..<4_000 {
      var bytes = seeds[Int.random(in: 0..<seeds.count, using: &random)]
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let position = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.insert([13, 10, 32, 58, 59, 48][position % 6], at: position)
        default: bytes.remove(at: position)
        }
        if bytes.isEmpty { bytes = [71] }
      }
      // Byte by byte no head is known again as a whole.
      if Bool.random(using: &random) { bytes += bytes }
      let whole = RequestFeed.whole(bytes)
      let cut = Int.random(in: 0...bytes.count, using: &random)
      #expect(RequestFeed.cut(bytes, at: [cut]).outcomes == whole.outcomes, "\(bytes) at \(cut)")
      let single = RequestFeed.cut(bytes, at: Array(0..<bytes.count))
      #expect(single.outcomes == whole.outcomes, "\(bytes)")
    }
  }

  private func expectEverySplit(
    _ bytes: [UInt8], _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(RequestFeed.whole(bytes).outcomes == expected, sourceLocation: sourceLocation)
    let single = RequestFeed.cut(bytes, at: Array(0..<bytes.count))
    #expect(single.outcomes == expected, "byte by byte", sourceLocation: sourceLocation)
    for position in 0...bytes.count {
      let outcomes = RequestFeed.cut(bytes, at: [position]).outcomes
      #expect(outcomes == expected, "cut at \(position)", sourceLocation: sourceLocation)
    }
  }

  static let good = [
    Case("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /"),
    Case("GET /a?b=c&d HTTP/1.1\r\nhOST:a:80\r\n\r\n", "GET /a ?b=c&d"),
    Case("GET /? HTTP/1.1\r\nHost:\r\n\r\n", "GET /"),
    Case("BREW /a%2Fb HTTP/1.1\r\nHost: [::1]:8\r\n\r\n", "another /a%2Fb"),
    Case("GET / HTTP/1.9\r\nHost: a\r\n\r\n", "GET /"),
    // RFC 9112 §2.2: an empty line before a request.
    Case(
      "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /",
      "GET /2"),
    // RFC 9112 §3.2.2 and §3.2.4: absolute-form and asterisk-form.
    Case("GET http://b/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x ?y"),
    Case("GET HTTPS://b:1 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /"),
    Case("GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET / ?q"),
    Case("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS *"),
    // RFC 9112 §9.3: who keeps the connection.
    Case("GET / HTTP/1.0\r\n\r\n", "GET / 1.0 last"),
    Case("GET / HTTP/1.0\r\nConnection: x, Keep-Alive\r\n\r\n", "GET / 1.0"),
    Case(fields: "Connection: x ,, CLOSE", "POST /p last"),
    Case(fields: "Connection: keep-alive\r\nConnection: close", "POST /p last"),
    Case(fields: "X-Mark:\t a b \t", "POST /p x-mark=a b"),
    Case(fields: "X-Mark:", "POST /p x-mark="),
    Case(fields: "X-Mark: 1\r\nX-Mark: 2", "POST /p x-mark=1"),
    // Bodies.
    Case(fields: "Content-Length: 5", body: "helloGET", "POST /p body=hello"),
    Case(fields: "Content-Length: 0", "POST /p"),
    Case(fields: "Content-Length: 0005", body: "hello", "POST /p body=hello"),
    Case(
      "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
        + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST /1 body=abc", "GET /2"),
    // The same head again, another one, and the first once more.
    Case(
      ["1", "1", "2", "1"].map {
        "POST /\($0) HTTP/1.1\r\nHost: a\r\nX-Mark: \($0)\r\nContent-Length: 2\r\n\r\nab"
      }.joined(),
      "POST /1 x-mark=1 body=ab", "POST /1 x-mark=1 body=ab", "POST /2 x-mark=2 body=ab",
      "POST /1 x-mark=1 body=ab"),
    Case(
      String(
        repeating:
          "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        count: 2), "POST / body=a", "POST / body=a"),
    Case(
      "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /", "GET /"
    ),
    Case("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n", "GET /"),
    Case(fields: "Transfer-Encoding: chunked", body: "0\r\n\r\n", "POST /p"),
    Case(
      fields: "Transfer-Encoding: , CHUNKED", body: "5\r\nhello\r\n00A\r\n, world!!!\r\n0\r\n\r\n",
      "POST /p body=hello, world!!!"),
    Case(
      fields: "Transfer-Encoding: chunked\r\nX-Mark: a",
      body: "1;a;b=c ; d = \"e;\\\"\" ;f\r\nx\r\n0;last\r\nX-Mark: t\r\nContent-Length: 9\r\n\r\n"
        + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST /p x-mark=a body=x", "GET /2"),
    // Not complete yet.
    Case(""),
    Case("\r\n"),
    Case("GET / HTTP/1.1\r\nHost: a\r\n\r"),
    Case(fields: "Content-Length: 5", body: "hell"),
    Case(fields: "Transfer-Encoding: chunked", body: "5\r\nhello\r\n0\r\n"),
  ]

  static let bad = [
    // Request lines.
    Case("GET /\r\n", "400"),
    Case("GET  / HTTP/1.1\r\n", "400"),
    Case("GET / HTTP/1.1 \r\n", "400"),
    Case("GET / http/1.1\r\n", "400"),
    Case("GET / HTTP/1\r\n", "400"),
    Case("GET / HTTP/11.1\r\n", "400"),
    Case("GET /\tHTTP/1.1\r\n", "400"),
    Case(" GET / HTTP/1.1\r\n", "400"),
    Case("\r\n\r\nGET / HTTP/1.1\r\n", "400"),
    Case("\rGET / HTTP/1.1\r\n", "400"),
    Case("G(T / HTTP/1.1\r\n", "400"),
    Case("GET / HTTP/1.1\nHost: a\n\n", "400"),
    Case("GET / HTTP/2.0\r\n", "505"),
    // What a client of HTTP/2 begins with.
    Case("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
    Case("GET / HTTP/0.9\r\n", "505"),
    Case("GET /%zz HTTP/1.1\r\n", "400"),
    Case("GET /% HTTP/1.1\r\n", "400"),
    Case("GET /?%4 HTTP/1.1\r\n", "400"),
    Case("GET /a#b HTTP/1.1\r\n", "400"),
    Case("GET /<b> HTTP/1.1\r\n", "400"),
    Case("GET a HTTP/1.1\r\n", "400"),
    Case("GET * HTTP/1.1\r\n", "400"),
    Case("GET ftp://a/ HTTP/1.1\r\n", "400"),
    Case("GET http:///a HTTP/1.1\r\n", "400"),
    Case("GET http://:80/ HTTP/1.1\r\n", "400"),
    Case("GET http://u@a/ HTTP/1.1\r\n", "400"),
    Case("CONNECT a:80 HTTP/1.1\r\n", "501"),
    // Host.
    Case("GET / HTTP/1.1\r\n\r\n", "400"),
    Case("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", "400"),
    Case("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n", "400"),
    Case("GET / HTTP/1.1\r\nHost: a b\r\n", "400"),
    Case("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400"),
    Case("GET / HTTP/1.1\r\nHost: u@a\r\n", "400"),
    Case("GET / HTTP/1.1\r\nHost: a/b\r\n", "400"),
    Case("GET / HTTP/1.1\r\nHost: a:8o\r\n", "400"),
    Case("GET / HTTP/1.1\r\nHost: [::1\r\n", "400"),
    Case("GET / HTTP/1.1\r\nHost: [::1::]\r\n", "400"),
    Case("GET / HTTP/1.1\r\nHost: a%4\r\n", "400"),
    // Field lines.
    Case(fields: "X : a", "400"),
    Case(fields: " X: a", "400"),
    Case(fields: "X: a\r\n folded", "400"),
    Case(fields: ": a", "400"),
    Case(fields: "X", "400"),
    Case(fields: "X: a\nY: b", "400"),
    Case(fields: "X: a\rY: b", "400"),
    Case(fields: "X: a\u{7f}b", "400"),
    Case(fields: "X\u{e9}: a", "400"),
    Case(fields: "Expect: 200-ok", "417"),
    // Lengths that could be read in two ways.
    Case(fields: "Content-Length: 5\r\nContent-Length: 5", "400"),
    Case(fields: "Content-Length: 5, 5", "400"),
    Case(fields: "Content-Length: +5", "400"),
    Case(fields: "Content-Length: -0", "400"),
    Case(fields: "Content-Length: 0x5", "400"),
    Case(fields: "Content-Length: 5 5", "400"),
    Case(fields: "Content-Length:", "400"),
    Case(fields: "Content-Length: 1048577", "413"),
    Case(fields: "Content-Length: 9223372036854775808", "413"),
    Case(fields: "Content-Length: 99999999999999999999999999", "413"),
    Case(fields: "Content-Length: 5\r\nTransfer-Encoding: chunked", "400"),
    Case(fields: "Transfer-Encoding: chunked\r\nContent-Length: 5", "400"),
    Case("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
    Case(fields: "Transfer-Encoding:", "400"),
    Case(fields: "Transfer-Encoding: gzip", "400"),
    Case(fields: "Transfer-Encoding: identity", "400"),
    Case(fields: "Transfer-Encoding: xchunked", "400"),
    Case(fields: "Transfer-Encoding: chunked;a=b", "400"),
    Case(fields: "Transfer-Encoding: \"chunked\"", "400"),
    Case(fields: "Transfer-Encoding: chunked, gzip", "400"),
    Case(fields: "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "400"),
    Case(fields: "Transfer-Encoding: gzip, chunked", "501"),
    Case(fields: "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked", "501"),
    // A malformed request after a good one is refused in its turn.
    Case("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2\r\n", "GET /1", "400"),
  ]
}
