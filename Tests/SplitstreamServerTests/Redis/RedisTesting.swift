@testable import SplitstreamServer

/// What the tests of Redis share.
enum RedisTesting {
  /// Runs `body` on a loop with a pipeline to the server, and closes it.
  static func withPipeline<Value: Sendable>(
    _ url: String, timeoutSeconds: Double = 30,
    _ body: @escaping @Sendable (RedisPipeline, EventLoop) async throws -> Value
  ) async throws -> Value {
    try await LoopRunner.run { loop in
      let pipeline = try RedisPipeline(
        to: RedisAddress(parsing: url), scripts: [sum], timeoutSeconds: timeoutSeconds, on: loop)
      defer { pipeline.close() }
      return try await body(pipeline, loop)
    }
  }

  static func session(_ url: String, timeoutSeconds: Double = 30) throws -> RedisSession {
    try RedisSession(to: RedisAddress(parsing: url), timeoutSeconds: timeoutSeconds)
  }

  /// Adds its argument to its key.
  static let sum = RedisScript(
    name: "sum", source: "return redis.call('INCRBY', KEYS[1], ARGV[1])")

  static func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

  /// The outcome of a command that may fail.
  static func outcome(
    of pipeline: RedisPipeline, _ words: String...
  ) async -> Result<RedisReply, RedisError> {
    do throws(RedisError) {
      return .success(try await pipeline.command(words.map { Array($0.utf8) }))
    } catch { return .failure(error) }
  }
}

extension TestRedis {
  /// Returns when it has what its primary has.
  func waitUntilItFollows() throws {
    let session = try RedisTesting.session(url)
    TestProcess.waitUntil("the replica follows") {
      guard case .bytes(let info)? = try? session.command(RedisDurability.questions[1]) else {
        return false
      }
      return String(decoding: info, as: UTF8.self).contains("master_link_status:up")
    }
  }
}

extension RedisPipeline {
  /// The events from now on.
  func events() -> AsyncStream<Event> {
    let (stream, continuation) = AsyncStream.makeStream(of: Event.self)
    onEvent = { continuation.yield($0) }
    return stream
  }
}
