import Testing

@testable import SplitstreamServer

/// What handlers see of a request.
@Suite struct RequestTests {
  @Test("fields are found by name in any case, the first of them, never in part")
  func fields() throws {
    let request = try Request(
      parsing: "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\nX-A: 1\r\nx-a: 2\r\n\r\n")
    #expect(request.headerText("authorization") == "Bearer k")
    #expect(request.headerText("x-a") == "1")
    #expect(request.onlyHeader("x-a") == nil)
    #expect(request.header("x-") == nil)
    #expect(request.header("x-ab") == nil)
    #expect(request.header("host")?.elementsEqual("a".utf8) == true)
  }

  @Test("query items are split first and decoded once")
  func query() throws {
    let request = try Request(
      parsing: "GET /?a=1&b&c=%26%3D+%2B&&d=e=f&%C3%A9=x%25 HTTP/1.0\r\n\r\n")
    let items = try request.queryItems().map { "\($0.name):\($0.value)" }
    #expect(items == ["a:1", "b:", "c:&= +", "d:e=f", "é:x%"])
  }

  @Test("query items that are not text are refused", arguments: ["a=%00", "a=%FF", "%C3=a"])
  func badQuery(_ query: String) throws {
    let request = try Request(parsing: "GET /?\(query) HTTP/1.0\r\n\r\n")
    #expect(throws: HTTPError.self) { try request.queryItems() }
  }

  @Test("methods by their exact bytes")
  func methods() {
    for method in [.get, .head, .post, .put, .patch, .delete, .options] as [HTTPMethod] {
      let bytes = [UInt8](method.name.utf8)
      #expect(HTTPMethod(token: bytes, 0..<bytes.count) == method)
    }
    #expect(HTTPMethod(token: [UInt8]("get".utf8), 0..<3) == .other)
    #expect(HTTPMethod(token: [UInt8]("OPTIONSX".utf8), 0..<8) == .other)
  }

  /// RFC 9110 §5.6.2 and RFC 3986 §3, spelled out.
  @Test func byteClasses() {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    let classes: [(ByteSet, String)] = [
      (ASCII.token, letters + "!#$%&'*+-.^_`|~"),
      (ASCII.registeredName, letters + "-._~!$&'()*+,;=%"),
      (ASCII.path, letters + "-._~!$&'()*+,;=%:@/"),
      (ASCII.query, letters + "-._~!$&'()*+,;=%:@/?"),
    ]
    for (set, members) in classes {
      for byte in 0...255 as ClosedRange<UInt8> {
        #expect(set.contains(byte) == members.utf8.contains(byte))
      }
    }
  }
}
