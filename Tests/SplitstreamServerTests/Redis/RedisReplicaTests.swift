import Testing

@testable import SplitstreamServer

/// What is promised where replicas are promoted: an accepted event is on as many as asked for, and
/// a server that has become a replica is left for whoever has its name now.
@Suite struct RedisReplicaTests {
  private static let environment = ULID.new()

  /// A primary and its replica, connected.
  private static func pair() throws -> (primary: TestRedis, replica: TestRedis) {
    let (primary, replica) = (TestRedis(), TestRedis())
    let port = try FreePort.take()
    primary.start(["--port", "\(port)"])
    replica.start(["--replicaof", "127.0.0.1", "\(port)"])
    try replica.waitUntilItFollows()
    return (primary, replica)
  }

  @Test("202 waits for the replica; without it 503, and the same ids are taken later")
  func waiting() async throws {
    let (primary, replica) = try Self.pair()
    defer {
      primary.remove()
      replica.remove()
    }
    let deployment = RedisDeployment(
      address: try RedisAddress(parsing: primary.url), replicasMin: 1)
    try await LoopRunner.run { loop in
      func withBuffer<Value>(
        timeoutSeconds: Double, _ body: (EventBuffer) async throws -> Value
      ) async throws -> Value {
        let client = deployment.client(
          scripts: [EventBuffer.accept], timeoutSeconds: timeoutSeconds, on: loop)
        defer { client.close() }
        return try await body(
          EventBuffer(redis: [client], backlogMax: 100, confirmsReplays: true, loop: loop))
      }
      let events = try ["a", "b"].map { try EventBufferTesting.event($0, in: Self.environment) }
      try await withBuffer(timeoutSeconds: 30) { buffer in
        try await #expect(buffer.accept([events[0]], shard: 1) == [.accepted])
      }
      replica.pause()
      try await withBuffer(timeoutSeconds: 10) { buffer in
        for _ in 0..<2 {
          let error = await #expect(throws: StorageError.self) {
            try await buffer.accept([events[1]], shard: 1)
          }
          #expect(error == .unavailable(.redis, "NOREPLICAS only 0 of 1 replicas have it"))
        }
      }
      // On a connection of its own, which has written nothing itself yet.
      replica.resume()
      try await withBuffer(timeoutSeconds: 30) { buffer in
        try await #expect(buffer.accept(events, shard: 1) == [.replayed, .replayed])
      }
    }
    let copy = try RedisTesting.session(replica.url)
    #expect(try copy.number("GET", EventKeys(shard: 1).backlog) == 2)
  }

  @Test("a server that has become a replica is left, and found again as a primary")
  func demoted() async throws {
    let (primary, replica) = try Self.pair()
    defer {
      primary.remove()
      replica.remove()
    }
    try await RedisTesting.withPipeline(replica.url) { pipeline, _ in
      var events = pipeline.events().makeAsyncIterator()
      let key = RedisTesting.words("total")
      let one = RedisTesting.words("1")
      let error = await #expect(throws: RedisError.self) {
        try await pipeline.evaluate(RedisTesting.sum, keys: key, arguments: one)
      }
      #expect(error?.isReadOnly == true)
      var event = await events.next()
      if event == .connected { event = await events.next() }
      #expect(
        event == .disconnected(.lost("the server has become a replica"), retrySeconds: 0.05))
      _ = try RedisTesting.session(replica.url).command(
        RedisTesting.words("REPLICAOF", "NO", "ONE"))
      while await events.next() != .connected {}
      #expect(
        try await pipeline.evaluate(RedisTesting.sum, keys: key, arguments: one) == .integer(1))
    }
  }

  @Test("a promotion that can lose events is warned of, and replicas that are missing")
  func warnings() throws {
    let (primary, replica) = try Self.pair()
    defer {
      primary.remove()
      replica.remove()
    }
    let session = try RedisTesting.session(primary.url)
    TestProcess.waitUntil("the primary counts its replica") {
      (try? RedisDurability(RedisDurability.questions.map(session.command)))?.description
        .hasSuffix("role master, connected_slaves 1") == true
    }
    let durability = RedisDurability(try RedisDurability.questions.map(session.command))
    func warnings(_ replicasMin: Int, isCluster: Bool = false) throws -> [String] {
      durability.shortfalls(
        of: RedisDeployment(
          address: try RedisAddress(parsing: primary.url), isCluster: isCluster,
          replicasMin: replicasMin))
    }
    #expect(try warnings(0).first?.contains("a promotion loses accepted events") == true)
    #expect(try warnings(1) == [])
    #expect(try warnings(2).first?.contains("events are answered 503 until") == true)
    #expect(try warnings(1, isCluster: true).first?.contains("redis.cluster is true") == true)
  }
}
