import Testing

@testable import SplitstreamServer

/// Who comes by HTTP is sent to HTTPS with all that was asked; who came by HTTPS to a proxy is not
/// sent around in a circle.
@Suite struct HTTPSRedirectTests {
  @Test(
    "the same place by HTTPS",
    arguments: [
      (
        8443, "GET /v1/a%2Fb?c=d HTTP/1.1\r\nHost: a.example:8000",
        "https://a.example:8443/v1/a%2Fb?c=d"
      ),
      (443, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2", "https://a.example/"),
      (443, "GET http://b HTTP/1.1\r\nHost: [::1]:80", "https://[::1]/"),
      (444, "GET //evil.example HTTP/1.1\r\nHost: a", "https://a:444//evil.example"),
    ])
  func locations(port: Int, head: String, location: String) throws {
    let server = try redirecting(to: port)
    let client = try server.client()
    try client.send(head + "\r\n\r\n" + (head.contains("POST") ? "{}" : ""))
    let answer = try client.answer()
    #expect(answer.status == 308)
    #expect(answer.head.contains("\r\nLocation: \(location)\r\n"), "\(answer.head)")
  }

  @Test(
    "without a host there is nowhere to go",
    arguments: ["GET / HTTP/1.0", "OPTIONS * HTTP/1.1\r\nHost: a"])
  func nowhere(head: String) throws {
    let server = try redirecting(to: 443)
    let client = try server.client()
    try client.send(head + "\r\n\r\n")
    #expect(try client.answer().status == 400)
  }

  @Test("what a trusted proxy has received by HTTPS is answered")
  func throughProxy() throws {
    let server = try redirecting(to: 443)
    let client = try server.client()
    try client.send("GET /later?a HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n")
    #expect(try client.answer().text == "a")
    try client.send("GET /later?b HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n")
    #expect(try client.answer().text == "b")
    try client.send("GET /echo?c HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: http\r\n\r\n")
    #expect(try client.answer().status == 308)
  }

  @Test("a load balancer's probe is answered, and nothing that only looks like it")
  func probes() throws {
    let server = try redirecting(to: 443)
    let client = try server.client()
    #expect(try client.get("/path?a").text == "a")
    for path in ["/path/", "/Path", "/pat", "/path2"] {
      #expect(try client.get(path).status == 308, "\(path)")
    }
  }

  private func redirecting(to port: Int) throws -> TestServer {
    let trusted = [try #require(IPNetwork(parsing: "127.0.0.0/8"))]
    return try TestServer(
      TransportLimits(), Entrance(proxies: TrustedProxies(trusted)), redirectingTo: port)
  }
}
