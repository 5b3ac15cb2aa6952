import Testing

@testable import SplitstreamServer

/// Who sends a request is believed of proxies that are trusted, and of nobody else.
@Suite struct TrustedProxiesTests {
  private func request(_ fields: [String]) throws -> Request {
    var parser = RequestParser(limits: RequestLimits())
    let text = (["GET / HTTP/1.1", "Host: a"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
    let bytes = [UInt8](text.utf8)
    return try #require(try parser.next(in: bytes, 0..<bytes.count) { _ in 0 })
  }

  private func origin(
    _ fields: [String], from address: String, trusted: [String] = ["10.0.0.0/8", "fd00::/8"]
  ) throws -> String {
    let networks = try trusted.map { try #require(IPNetwork(parsing: $0)) }
    let address = try #require(IPAddress(parsing: address.utf8))
    let origin = TrustedProxies(networks).origin(
      of: try request(fields), from: RequestOrigin(address: address, isSecure: false))
    return "\(origin.address)" + (origin.isSecure ? " secure" : "")
  }

  @Test(
    "the first that is no proxy of ours, from the end",
    arguments: [
      (["X-Forwarded-For: 8.8.8.8"], "8.8.8.8"),
      (["X-Forwarded-For: 6.6.6.6, 8.8.8.8"], "8.8.8.8"),
      (["X-Forwarded-For: 6.6.6.6,8.8.8.8 ,\t10.0.0.2"], "8.8.8.8"),
      (
        ["x-forwarded-for: 6.6.6.6", "X-Forwarded-For: 8.8.8.8", "X-FORWARDED-FOR: 10.9.9.9"],
        "8.8.8.8"
      ),
      (["X-Forwarded-For: 10.0.0.3, 10.0.0.2"], "10.0.0.3"),
      (["X-Forwarded-For: 2001:db8::1, fd00::1"], "2001:db8::1"),
      (["X-Forwarded-For: 8.8.8.8, unknown, 10.0.0.2"], "10.0.0.2"),
      (["X-Forwarded-For: unknown"], "10.0.0.1"), (["X-Forwarded-For:"], "10.0.0.1"),
      (["X-Forwarded-For: ,,"], "10.0.0.1"), ([], "10.0.0.1"),
      (["X-Forwarded-For: 8.8.8.8", "X-Forwarded-Proto: https"], "8.8.8.8 secure"),
      (["X-Forwarded-Proto: https"], "10.0.0.1 secure"),
      (["X-Forwarded-Proto: HTTPS"], "10.0.0.1 secure"),
      (["X-Forwarded-Proto: https, http"], "10.0.0.1"),
      (["X-Forwarded-Proto: http", "X-Forwarded-Proto: https"], "10.0.0.1 secure"),
      (["X-Forwarded-Proto: httpss"], "10.0.0.1"),
    ])
  func forwarded(fields: [String], expected: String) throws {
    #expect(try origin(fields, from: "10.0.0.1") == expected)
  }

  @Test("others are not believed")
  func untrusted() throws {
    let fields = ["X-Forwarded-For: 8.8.8.8", "X-Forwarded-Proto: https"]
    #expect(try origin(fields, from: "9.9.9.9") == "9.9.9.9")
    #expect(try origin(fields, from: "10.0.0.1", trusted: []) == "10.0.0.1")
  }

  @Test("a proxy that ends HTTP may take back that a request is secure")
  func insecure() throws {
    let proxies = TrustedProxies([try #require(IPNetwork(parsing: "10.0.0.0/8"))])
    let address = try #require(IPAddress(parsing: "10.0.0.1".utf8))
    let origin = RequestOrigin(address: address, isSecure: true)
    #expect(!proxies.origin(of: try request(["X-Forwarded-Proto: http"]), from: origin).isSecure)
    #expect(proxies.origin(of: try request([]), from: origin).isSecure)
  }
}
