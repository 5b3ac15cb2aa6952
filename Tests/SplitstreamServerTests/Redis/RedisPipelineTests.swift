import Testing

@testable import SplitstreamServer

/// What the stores build on: each caller gets its own answer, whatever bytes it sends.
@Suite struct RedisPipelineTests {
  @Test("each kind of answer is read")
  func replies() async throws {
    let url = TestServers.shared.redisURL
    try await RedisTesting.withPipeline(url) { redis, _ in
      let key = "replies"
      #expect(await RedisTesting.outcome(of: redis, "SET", key, "7") == .success(.status("OK")))
      #expect(await RedisTesting.outcome(of: redis, "GET", key) == .success(.bytes([0x37])))
      #expect(await RedisTesting.outcome(of: redis, "INCR", key) == .success(.integer(8)))
      #expect(await RedisTesting.outcome(of: redis, "GET", "replies:none") == .success(.null))
      #expect(
        await RedisTesting.outcome(of: redis, "NONSENSE")
          == .failure(.server("ERR unknown command 'NONSENSE', with args beginning with: ")))
      let nested = RedisReply.array([
        .integer(1), .array([.bytes([0x78]), .null]), .status("fine"), .error("ERR bad"),
        .array([]),
      ])
      let script = "return {1, {'x', false}, {ok='fine'}, {err='ERR bad'}, {}}"
      #expect(await RedisTesting.outcome(of: redis, "EVAL", script, "0") == .success(nested))
    }
  }

  @Test("any byte may occur in a command and its answer")
  func binary() async throws {
    let url = TestServers.shared.redisURL
    try await RedisTesting.withPipeline(url) { redis, _ in
      let value = (0...255).map { UInt8($0) } + Array("\r\n$-1\r\n%s%b".utf8)
      let key = Array("binary \0 key".utf8)
      _ = try await redis.command([Array("SET".utf8), key, value])
      #expect(try await redis.command([Array("GET".utf8), key]) == .bytes(value))
      _ = try await redis.command([Array("SET".utf8), key, []])
      #expect(try await redis.command([Array("GET".utf8), key]) == .bytes([]))
    }
  }

  @Test("a thousand commands at once each get their own answer, also large ones")
  func concurrent() async throws {
    let url = TestServers.shared.redisURL
    try await RedisTesting.withPipeline(url) { redis, loop in
      let tasks = (0..<1000).map { number in
        loop.start(with: redis) { redis in
          // Every hundredth is larger than a socket's buffer, so that output and answers come in
          // pieces.
          let text = String(repeating: "\(number),", count: number % 100 == 0 ? 100_000 : 1)
          return await RedisTesting.outcome(of: redis, "ECHO", text)
            == .success(.bytes(Array(text.utf8)))
        }
      }
      for task in tasks {
        let isRight = try await task.value
        #expect(isRight)
      }
    }
  }

  @Test("calls above the limit are refused at once")
  func limit() async throws {
    let url = TestServers.shared.redisURL
    try await RedisTesting.withPipeline(url, timeoutSeconds: 30) { redis, loop in
      let tasks = (0..<RedisPipeline.callsInFlightMax + 2).map { _ in
        loop.start(with: redis) { await RedisTesting.outcome(of: $0, "PING") }
      }
      var refused = 0
      for task in tasks {
        if try await task.value == .failure(.unavailable("too much waits for answers")) {
          refused += 1
        }
      }
      #expect(refused == 2)
    }
  }

  @Test("bytes above the limit are refused at once")
  func bytesLimit() async throws {
    let server = TestRedis()
    server.start()
    defer { server.remove() }
    try await RedisTesting.withPipeline(server.url, timeoutSeconds: 5) { redis, loop in
      _ = try await redis.command(RedisCommand.words("PING"))
      server.pause()
      defer { server.resume() }
      let value = String(repeating: "x", count: RedisPipeline.bytesInFlightMax / 4 - 100)
      let tasks = (0..<5).map { _ in
        loop.start(with: redis) { await RedisTesting.outcome(of: $0, "ECHO", value) }
      }
      #expect(try await tasks[4].value == .failure(.unavailable("too much waits for answers")))
      for task in tasks[..<4] { #expect(try await task.value == .failure(.timeout)) }
    }
  }

  @Test("a script runs, also after the server has forgotten it")
  func script() async throws {
    let server = TestRedis()
    server.start()
    defer { server.remove() }
    try await RedisTesting.withPipeline(server.url) { redis, _ in
      func add(_ number: Int) async throws -> RedisReply {
        try await redis.evaluate(
          RedisTesting.sum, keys: RedisTesting.words("total"),
          arguments: RedisTesting.words("\(number)"))
      }
      #expect(try await add(1) == .integer(1))
      #expect(try await add(1) == .integer(2))
      _ = try await redis.command(RedisTesting.words("SCRIPT", "FLUSH"))
      #expect(try await add(1) == .integer(3))
      #expect(try await add(1) == .integer(4))
    }
  }

  @Test("password and database are taken from the URL")
  func login() async throws {
    let server = TestRedis()
    server.start(["--requirepass", "p@ss"])
    defer { server.remove() }
    let path = server.url.dropFirst("unix://".count)
    try await RedisTesting.withPipeline("unix://:p%40ss@\(path)?db=3") { redis, _ in
      guard
        case .success(.bytes(let info)) = await RedisTesting.outcome(of: redis, "CLIENT", "INFO")
      else {
        Issue.record("no answer")
        return
      }
      #expect(String(decoding: info, as: UTF8.self).contains(" db=3 "))
      _ = try await redis.command(RedisTesting.words("PING"))
    }
    try await RedisTesting.withPipeline("unix://:wrong@\(path)") { redis, _ in
      var events = redis.events().makeAsyncIterator()
      #expect(
        await RedisTesting.outcome(of: redis, "PING") == .failure(.unavailable("not connected")))
      guard case .disconnected(.server(let message), _) = await events.next() else {
        Issue.record("the refusal is not told")
        return
      }
      #expect(message.hasPrefix("WRONGPASS"))
    }
  }
}
