import Testing

@testable import SplitstreamServer

/// One path leads to one route, whatever a client escapes in it.
@Suite struct RouterTests {
  private let router = Router<String>([
    (.get, "/v1/things", "list"), (.post, "/v1/things", "create"),
    (.get, "/v1/things/{id}", "get"), (.get, "/v1/things/mine", "mine"),
    (.post, "/v1/things/{id}/start", "start"), (.get, "/v1/{a}/x/{b}", "two"),
    (.delete, "/", "root"),
  ])

  private func match(_ method: HTTPMethod, _ path: String) -> String {
    switch router.match(method, [UInt8](path.utf8)[...]) {
    case .found(let route, let parameters): ([route] + parameters).joined(separator: " ")
    case .methodNotAllowed(let allow): "405 " + allow.joined(separator: ",")
    case .notFound: "404"
    case .malformed(let error): "\(error.status)"
    }
  }

  @Test(
    "paths",
    arguments: [
      ("/v1/things", "list"), ("/v1/thing%73", "list"), ("/v1/things/", "404"),
      ("/v1//things", "404"),
      ("/v1/things?", "404"), ("v1/things", "404"), ("", "404"), ("/v1/things/mine", "mine"),
      ("/v1/things/7", "get 7"), ("/v1/things/a%2Fb", "get a/b"), ("/v1/things/%2525", "get %25"),
      ("/v1/things/+", "get +"), ("/v1/things/e%CC%81", "get e\u{301}"),
      ("/v1/things/..", "get .."),
      ("/v1/b/x/c", "two b c"), ("/v1/things/x/y", "two things y"), ("/v1/things/7/stop", "404"),
      ("/v1/things/%00", "400"), ("/v1/things/%FF", "400"), ("/v1/things/%C3", "400"),
      ("/v1/things/%4", "400"), ("/nowhere/%zz", "400"), ("*", "405 GET,HEAD,POST,DELETE"),
    ])
  func paths(path: String, expected: String) {
    #expect(match(.get, path) == expected)
  }

  @Test("methods: HEAD is GET, others are refused with what is allowed")
  func methods() {
    #expect(match(.head, "/v1/things/7") == "get 7")
    #expect(match(.post, "/v1/things") == "create")
    #expect(match(.put, "/v1/things") == "405 GET,HEAD,POST")
    #expect(match(.options, "/v1/things") == "405 GET,HEAD,POST")
    #expect(match(.get, "/v1/things/7/start") == "405 POST")
    #expect(match(.head, "/v1/things/7/start") == "405 POST")
    #expect(match(.delete, "/") == "root")
    #expect(match(.other, "/v1/things") == "405 GET,HEAD,POST")
  }

  @Test("canonically equal segments are different segments")
  func bytes() {
    let router = Router<Int>([(.get, "/caf\u{e9}", 1)])
    if case .found = router.match(.get, [UInt8]("/cafe%CC%81".utf8)[...]) {
      Issue.record("NFC and NFD were taken for one path")
    }
    guard case .found = router.match(.get, [UInt8]("/caf%C3%A9".utf8)[...]) else {
      Issue.record("the escaped path was not found")
      return
    }
  }
}
