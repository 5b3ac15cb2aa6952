import Testing

@testable import SplitstreamServer

/// A PROXY header means the same however it is cut, takes no byte of what follows, and nothing else
/// passes for one.
@Suite struct ProxyHeaderTests {
  private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

  private static func version2(
    _ command: UInt8, _ family: UInt8, _ addresses: [UInt8], length: Int? = nil
  ) -> [UInt8] {
    let length = length ?? addresses.count
    return signature + [command, family, UInt8(length >> 8), UInt8(length & 0xff)] + addresses
  }
  private static let four: [UInt8] = [8, 8, 4, 4, 10, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb]
  private static let six: [UInt8] =
    [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]
    + [UInt8](repeating: 0, count: 16) + [0x12, 0x34, 0x01, 0xbb]

  static let good: [(bytes: [UInt8], source: String?)] = [
    ([UInt8]("PROXY TCP4 8.8.4.4 10.0.0.1 4660 443\r\n".utf8), "8.8.4.4"),
    ([UInt8]("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n".utf8), "2001:db8::1"),
    ([UInt8]("PROXY UNKNOWN\r\n".utf8), nil),
    ([UInt8]("PROXY UNKNOWN ffff::1 what ever\r\n".utf8), nil),
    (version2(0x21, 0x11, four), "8.8.4.4"), (version2(0x21, 0x21, six), "2001:db8::1"),
    (version2(0x21, 0x11, four + [4, 0, 2, 9, 9]), "8.8.4.4"),
    (version2(0x20, 0x11, four), nil), (version2(0x20, 0x00, []), nil),
    (version2(0x21, 0x00, [1, 2, 3]), nil),
    (version2(0x21, 0x31, [UInt8](repeating: 1, count: 216)), nil),
    (version2(0x21, 0x11, four + [UInt8](repeating: 7, count: 4_068)), "8.8.4.4"),
  ]

  @Test("a header is read at every cut, and ends where it ends", arguments: good.indices)
  func cuts(index: Int) {
    let (bytes, source) = Self.good[index]
    for count in bytes.indices {
      #expect(ProxyHeader.parse(Array(bytes[..<count])) == .incomplete, "\(count)")
    }
    let address = source.flatMap { IPAddress(parsing: $0.utf8) }
    #expect(address?.description == source)
    let whole = ProxyHeader.Parsed.complete(length: bytes.count, source: address)
    #expect(ProxyHeader.parse(bytes) == whole)
    #expect(ProxyHeader.parse(bytes + [UInt8]("GET / HTTP/1.1\r\n\r\n".utf8)) == whole)
  }

  @Test(
    "lines that are none",
    arguments: [
      "GET / HTTP/1.1\r\n", "proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "PROXY\r\n", "PROXY \r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n", "PROXY  TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
      "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
      "PROXY TCP4 ::ffff:1.1.1.1 ::1 1 2\r\n", "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4 a 2.2.2.2 1 2\r\n", "PROXY TCP4 1.1.1.1 b 1 2\r\n",
      "PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
      "PROXY TCP4\r\n", "PROXY UNKNOWN\n",
      "PROXY UNKNOWN \(String(repeating: "x", count: 100))\r\n",
      "\r\n\r\nG", "\u{16}\u{3}\u{1}",
    ])
  func malformedLines(text: String) {
    #expect(ProxyHeader.parse([UInt8](text.utf8)) == .malformed)
  }

  @Test(
    "binary headers that are none",
    arguments: [
      version2(0x11, 0x11, four), version2(0x31, 0x11, four), version2(0x22, 0x11, four),
      version2(0x21, 0x13, four), version2(0x21, 0x41, four), version2(0x21, 0x10, four),
      version2(0x21, 0x11, [1, 2, 3]), version2(0x21, 0x21, four),
      version2(0x21, 0x11, four, length: 4_081), signature.dropLast() + [11],
    ])
  func malformedBinary(bytes: [UInt8]) {
    #expect(ProxyHeader.parse(bytes) == .malformed)
  }

  @Test("a trusted proxy says who its clients are", arguments: good.indices)
  func connections(index: Int) throws {
    let server = try TestServer(TransportLimits(), try entrance())
    let (bytes, source) = Self.good[index]
    let expected = "\(source ?? "127.0.0.1") false"
    let whole = try server.client()
    try whole.send(bytes + [UInt8]("GET /origin HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
    #expect(try whole.answer().text == expected)
    #expect(try whole.get("/origin").text == expected)
    guard bytes.count < 200 else { return }
    let cut = try server.client()
    for byte in bytes { try cut.send([byte]) }
    #expect(try cut.get("/origin").text == expected)
  }

  @Test(
    "a connection that begins otherwise is closed",
    arguments: ["GET / HTTP/1.1\r\n", "PROXY x", ""])
  func refusals(start: String) throws {
    let server = try TestServer(TransportLimits(), try entrance())
    let client = try server.client()
    try client.send(start)
    client.shutdownWrite()
    #expect(throws: TestClient.Failure.self) { try client.answer() }
  }

  @Test("a header that does not come is given up")
  func time() throws {
    var limits = TransportLimits()
    limits.sweepSeconds = 0.01
    limits.handshakeSecondsMax = 0.05
    let server = try TestServer(limits, try entrance())
    let client = try server.client()
    try client.send("PROXY ")
    #expect(try client.ends())
  }

  @Test("who is not trusted says nothing about others")
  func untrusted() throws {
    let server = try TestServer(TransportLimits(), try entrance(trusted: "10.0.0.0/8"))
    #expect(try server.client().get("/origin").text == "127.0.0.1 false")
    let client = try server.client()
    try client.send(Self.good[0].bytes + [UInt8]("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
    #expect(try client.answer().status == 400)
  }

  @Test("before TLS the header stands in the clear")
  func beforeTLS() throws {
    let tls = try TLSTesting()
    var entrance = try entrance()
    entrance.tls = tls.identity
    let server = try TestServer(TransportLimits(), entrance)
    let answer = try tls.curl([
      "--haproxy-protocol", "--interface", "127.0.0.1",
      "https://127.0.0.1:\(server.port)/origin",
    ])
    #expect(answer == "127.0.0.1 true")
    #expect(try tls.curl(["https://127.0.0.1:\(server.port)/origin"]).contains("curl: ("))
  }

  private func entrance(trusted: String = "127.0.0.1") throws -> Entrance {
    Entrance(
      proxies: TrustedProxies([try #require(IPNetwork(parsing: trusted))]),
      speaksProxyProtocol: true)
  }
}
