import Testing

@testable import SplitstreamServer

/// The blocking session of jobs: the same answers, and bounded waits.
@Suite struct RedisSessionTests {
  @Test("commands and scripts are answered, also after the server has forgotten them")
  func commands() throws {
    let server = TestRedis()
    server.start()
    defer { server.remove() }
    let session = try RedisTesting.session(server.url + "?db=2")
    #expect(try session.command(RedisTesting.words("SET", "x", "")) == .status("OK"))
    #expect(try session.command(RedisTesting.words("GET", "x")) == .bytes([]))
    for total in 1...3 {
      let keys = RedisTesting.words("total")
      let one = RedisTesting.words("1")
      #expect(
        try session.evaluate(RedisTesting.sum, keys: keys, arguments: one) == .integer(total))
      if total == 2 { _ = try session.command(RedisTesting.words("SCRIPT", "FLUSH")) }
    }
    let error = #expect(throws: RedisError.self) {
      try session.command(RedisTesting.words("LPOP", "total"))
    }
    #expect(error?.isOutcomeUnknown == false && session.isOpen)
  }

  @Test("a server that does not answer, or dies, closes the session")
  func outages() throws {
    let server = TestRedis()
    server.start()
    defer { server.remove() }
    let slow = try RedisTesting.session(server.url, timeoutSeconds: 0.2)
    server.pause()
    #expect(throws: RedisError.timeout) { try slow.command(RedisTesting.words("PING")) }
    server.resume()
    #expect(throws: RedisError.unavailable("the session is closed")) {
      try slow.command(RedisTesting.words("PING"))
    }
    let dying = try RedisTesting.session(server.url)
    server.kill()
    let error = #expect(throws: RedisError.self) {
      try dying.command(RedisTesting.words("PING"))
    }
    #expect(error?.isOutcomeUnknown == true && !dying.isOpen)
    let absent = #expect(throws: RedisError.self) { try RedisTesting.session(server.url) }
    #expect(absent?.isOutcomeUnknown == false)
  }
}
