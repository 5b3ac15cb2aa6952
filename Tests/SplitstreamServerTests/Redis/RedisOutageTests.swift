import Testing

@testable import SplitstreamServer

/// R15: Redis may be killed, stopped or paused at any time; callers are told, and the pipeline
/// recovers by itself.
@Suite struct RedisOutageTests {
  @Test("a server that does not answer costs a time-out, and no late answer reaches another caller")
  func paused() async throws {
    let server = TestRedis()
    server.start()
    defer { server.remove() }
    try await RedisTesting.withPipeline(server.url, timeoutSeconds: 5) { redis, loop in
      _ = try await redis.command(RedisTesting.words("PING"))
      var events = redis.events().makeAsyncIterator()
      server.pause()
      let calls = (0..<3).map { number in
        loop.start(with: redis) { await RedisTesting.outcome(of: $0, "ECHO", "late \(number)") }
      }
      for call in calls { #expect(try await call.value == .failure(.timeout)) }
      #expect(await events.next() == .disconnected(.timeout, retrySeconds: 0.05))
      #expect(
        await RedisTesting.outcome(of: redis, "PING") == .failure(.unavailable("not connected")))
      server.resume()
      while await events.next() != .connected {}
      #expect(
        await RedisTesting.outcome(of: redis, "ECHO", "new") == .success(.bytes(Array("new".utf8))))
    }
  }

  @Test("a server that is down at first, comes, is killed and comes again")
  func restarted() async throws {
    let server = TestRedis()
    defer { server.remove() }
    try await RedisTesting.withPipeline(server.url) { redis, loop in
      var events = redis.events().makeAsyncIterator()
      #expect(
        await RedisTesting.outcome(of: redis, "PING") == .failure(.unavailable("not connected")))
      for round in 1...3 {
        server.start()
        while await events.next() != .connected {}
        // The script was loaded anew, and what was acknowledged has survived.
        let total = try await redis.evaluate(
          RedisTesting.sum, keys: RedisTesting.words("total"), arguments: RedisTesting.words("1"))
        #expect(total == .integer(round))
        let waiting = loop.start(with: redis) {
          await RedisTesting.outcome(of: $0, "BLPOP", "nothing", "0")
        }
        let other = loop.start(with: redis) { await RedisTesting.outcome(of: $0, "PING") }
        server.kill()
        let outcomes = try await [waiting.value, other.value]
        for outcome in outcomes {
          guard case .failure(let error) = outcome else {
            Issue.record("\(outcome)")
            continue
          }
          #expect(error.isOutcomeUnknown)
        }
        guard case .disconnected = await events.next() else {
          Issue.record("not told of the end")
          return
        }
        #expect(!redis.isConnected)
      }
    }
  }

  @Test("closing answers everybody")
  func closed() async throws {
    let url = TestServers.shared.redisURL
    try await RedisTesting.withPipeline(url) { redis, loop in
      _ = try await redis.command(RedisTesting.words("PING"))
      let waiting = loop.start(with: redis) {
        await RedisTesting.outcome(of: $0, "BLPOP", "closing", "0")
      }
      redis.close()
      #expect(try await waiting.value == .failure(.lost("closed")))
      #expect(
        await RedisTesting.outcome(of: redis, "PING") == .failure(.unavailable("not connected")))
    }
  }

  @Test("nobody listens on the port")
  func refused() async throws {
    try await RedisTesting.withPipeline("redis://127.0.0.1:1") { redis, _ in
      var events = redis.events().makeAsyncIterator()
      #expect(
        await RedisTesting.outcome(of: redis, "PING") == .failure(.unavailable("not connected")))
      #expect(
        await events.next() == .disconnected(.lost("Connection refused"), retrySeconds: 0.05))
      #expect(
        await events.next() == .disconnected(.lost("Connection refused"), retrySeconds: 0.1))
    }
  }
}
