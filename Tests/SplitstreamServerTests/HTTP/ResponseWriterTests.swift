import Testing

@testable import SplitstreamServer

/// What goes out, byte for byte.
@Suite struct ResponseWriterTests {
  private let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

  private func written(
    _ response: Response, isHead: Bool = false,
    _ persistence: ResponseWriter.Persistence = .keepAlive
  ) -> String {
    var writer = ResponseWriter()
    var output: [UInt8] = []
    writer.write(response, isHead: isHead, persistence, unixSeconds: 784_111_777, to: &output)
    return String(decoding: output, as: UTF8.self)
  }

  @Test("a body with its type and length")
  func body() {
    let response = Response(
      status: 200, headers: [("ETag", "\"1\"")], contentType: "application/json", body: [123, 125])
    #expect(
      written(response)
        == "HTTP/1.1 200 OK\r\n\(date)ETag: \"1\"\r\nContent-Type: application/json\r\n"
        + "Content-Length: 2\r\n\r\n{}")
  }

  @Test("HEAD has the length of the body it leaves out")
  func head() {
    #expect(
      written(Response(status: 404, body: [1, 2, 3]), isHead: true)
        == "HTTP/1.1 404 Not Found\r\n\(date)Content-Length: 3\r\n\r\n")
  }

  @Test("204 and 304 have neither body nor length", arguments: [204, 304])
  func noContent(status: Int) {
    let text = written(Response(status: status, body: [1]))
    #expect(text.hasSuffix("\r\n\(date)\r\n"))
  }

  @Test("the connection's fate is told")
  func persistence() {
    #expect(
      written(Response(status: 599), .close).hasSuffix(
        "Content-Length: 0\r\nConnection: close\r\n\r\n"))
    #expect(
      written(Response(status: 200), .announcedKeepAlive).contains("\r\nConnection: keep-alive\r\n")
    )
    #expect(!written(Response(status: 200)).contains("Connection"))
  }

  @Test("a line end in a value cannot start a field")
  func splitting() {
    let text = written(Response(status: 200, headers: [("Location", "/a\r\nSet-Cookie: b\u{0}")]))
    #expect(text.contains("Location: /a  Set-Cookie: b \r\n"))
  }

  @Test("what answers have in common is kept, and never told of another")
  func kept() {
    var writer = ResponseWriter()
    func written(_ response: Response, at unixSeconds: Int) -> String {
      var output: [UInt8] = []
      writer.write(
        response, isHead: false, .keepAlive, unixSeconds: unixSeconds, to: &output)
      return String(decoding: output, as: UTF8.self)
    }
    let answers = [
      Response(status: 200, contentType: "application/json", body: [1]),
      Response(status: 202, contentType: "application/json"), Response(status: 202),
      Response(status: 204), Response(status: 200, contentType: "text/plain"),
      Response(status: 204, contentType: "text/csv"), Response(status: 404),
    ]
    for (index, answer) in (answers + answers.reversed() + answers).enumerated() {
      let unixSeconds = 784_111_777 + index / 5
      var fresh = ResponseWriter()
      var expected: [UInt8] = []
      fresh.write(
        answer, isHead: false, .keepAlive, unixSeconds: unixSeconds, to: &expected)
      #expect(written(answer, at: unixSeconds) == String(decoding: expected, as: UTF8.self))
    }
  }

  @Test("Date follows the clock")
  func dateChanges() {
    var writer = ResponseWriter()
    for (seconds, expected) in [
      (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (1, "00:00:01"), (0, "00:00:00"),
    ] {
      var output: [UInt8] = []
      writer.write(Response(status: 200), isHead: false, .close, unixSeconds: seconds, to: &output)
      #expect(String(decoding: output, as: UTF8.self).contains(expected))
    }
  }

  /// Made with GNU date 9.1: `TZ=UTC date -d @N '+%a, %d %b %Y %T GMT'`.
  @Test(
    "dates",
    arguments: [
      (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
      (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
      (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
      (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
  func dates(seconds: Int, expected: String) {
    #expect(String(decoding: HTTPDate.bytes(unixSeconds: seconds), as: UTF8.self) == expected)
  }

  @Test("decimals", arguments: [0, 9, 10, 99, 100, 1_000, 123_456_789, .max])
  func decimals(number: Int) {
    var bytes: [UInt8] = []
    bytes.append(decimal: number)
    #expect(String(decoding: bytes, as: UTF8.self) == String(number))
  }
}
