import Synchronization
import Testing

@testable import SplitstreamServer

/// The atomic step in which an event is accepted: stored and remembered, or without a trace.
@Suite struct EventBufferTests {
  private static let shard = 3
  private static let keys = EventKeys(shard: shard)
  private static let environment = ULID.new()

  @Test("an id is accepted once, and replayed in its environment only")
  func replay() async throws {
    try await EventBufferTesting.withBuffer { buffer, redis, _ in
      try await #expect(buffer.accept([Self.event("a")], shard: Self.shard) == [.accepted])
      try await #expect(
        buffer.accept([Self.event("a", unit: "other")], shard: Self.shard) == [.replayed])
      try await #expect(
        buffer.accept([Self.event("a", in: .new())], shard: Self.shard) == [.accepted])
      try await #expect(
        buffer.accept([Self.event(nil), Self.event(nil)], shard: Self.shard)
          == [.accepted, .accepted])
      try #expect(Self.stored(redis) == 4)
      #expect(try redis.number("GET", Self.keys.backlog) == 4)
      let size = try SeenTableUpkeep(redis: redis).size(shard: Self.shard)
      #expect(size.idCount == 2)
    }
  }

  /// E-acute composed and decomposed are two ids, as they are two texts to PostgreSQL.
  @Test("ids are compared byte by byte")
  func bytes() async throws {
    try await EventBufferTesting.withBuffer { buffer, _, _ in
      try await #expect(
        buffer.accept([Self.event("\u{e9}"), Self.event("e\u{301}")], shard: Self.shard)
          == [.accepted, .accepted])
    }
  }

  @Test("an id that stands twice in a request counts once, the first time")
  func duplicateInBatch() async throws {
    try await EventBufferTesting.withBuffer { buffer, redis, _ in
      let events = try ["a", "b", "a", "a"].map { try Self.event($0) }
      try await #expect(
        buffer.accept(events, shard: Self.shard) == [.accepted, .accepted, .replayed, .replayed])
      let entries = try redis.list(Self.keys.buffer)
      #expect(entries == [EventCoding.encode([events[0], events[1]])])
    }
  }

  @Test("a request that does not fit leaves no trace; a smaller one and a replay still fit")
  func full() async throws {
    try await EventBufferTesting.withBuffer(backlogMax: 3) { buffer, redis, _ in
      let two = try [Self.event("a"), Self.event("b")]
      _ = try await buffer.accept(two, shard: Self.shard)
      await #expect(throws: StorageError.backlogFull) {
        try await buffer.accept([Self.event("c"), Self.event("d")], shard: Self.shard)
      }
      try #expect(Self.stored(redis) == 2)
      // Not burnt by the refusal.
      try await #expect(buffer.accept([Self.event("c")], shard: Self.shard) == [.accepted])
      try await #expect(buffer.accept(two, shard: Self.shard) == [.replayed, .replayed])
      // A shard of its own has a backlog of its own.
      try await #expect(buffer.accept([Self.event("a")], shard: 4) == [.accepted])
    }
  }

  @Test("a replay is answered as one also when the limit has been lowered below the backlog")
  func replayOverLimit() async throws {
    let url = TestServers.shared.redisDatabaseURL()
    let event = try Self.event("a")
    try await EventBufferTesting.withBuffer(url: url) { buffer, _, _ in
      _ = try await buffer.accept([event, Self.event("b")], shard: Self.shard)
    }
    try await EventBufferTesting.withBuffer(backlogMax: 1, url: url) { buffer, _, _ in
      try await #expect(buffer.accept([event], shard: Self.shard) == [.replayed])
    }
  }

  @Test("requests of one turn go together, and each is judged whole")
  func together() async throws {
    try await EventBufferTesting.withBuffer(backlogMax: 4) { buffer, redis, loop in
      let requests = try [
        ["a", "b", "c"], ["d", "e"], ["a"], ["f"], ["f"],
      ].map { try $0.map { try Self.event($0) } }
      let tasks = requests.map { events in
        loop.start(with: buffer) { try await $0.accept(events, shard: Self.shard) }
      }
      var results: [[EventBuffer.Verdict]?] = []
      for task in tasks { results.append(try? await task.value) }
      #expect(
        results == [[.accepted, .accepted, .accepted], nil, [.replayed], [.accepted], [.replayed]])
      try #expect(Self.stored(redis) == 4)
    }
  }

  @Test("over several connections at once: every event once, and the limit holds")
  func severalConnections() async throws {
    try await EventBufferTesting.withBuffer(backlogMax: 4000, connections: 4) {
      buffer, redis, loop in
      // Twelve requests of 500, of which the second six are the first six again.
      let requests = try (0..<12).map { request in
        try (0..<500).map { try Self.event("\(request % 6)-\($0)") }
      }
      let tasks = requests.map { events in
        loop.start(with: buffer) { try await $0.accept(events, shard: Self.shard) }
      }
      var accepted = 0
      for task in tasks { accepted += try await task.value.count { $0 == .accepted } }
      #expect(accepted == 3000)
      try #expect(Self.stored(redis) == 3000)
      #expect(try redis.number("GET", Self.keys.backlog) == 3000)

      let more = try (6..<9).map { request in
        try (0..<500).map { try Self.event("\(request)-\($0)") }
      }
      let late = more.map { events in
        loop.start(with: buffer) { try await $0.accept(events, shard: Self.shard) }
      }
      var refused = 0
      for task in late where (try? await task.value) == nil { refused += 1 }
      #expect(refused == 1)
      try #expect(Self.stored(redis) == 4000)
    }
  }

  @Test("the drain is told of every three hundred accepted events")
  func many() async throws {
    let told = Mutex(0)
    let onMany: @Sendable () -> Void = { told.withLock { $0 += 1 } }
    try await EventBufferTesting.withBuffer(backlogMax: 100_000, onMany: onMany) {
      buffer, _, _ in
      for request in 1...20 {
        let events = try (0..<100).map { try Self.event("\(request)-\($0)") }
        _ = try await buffer.accept(events, shard: Self.shard)
        #expect(told.withLock { $0 } == request * 100 / EventBuffer.manyCount)
      }
    }
  }

  @Test("an id from before the last 30 days counts anew, and is remembered anew")
  func forgotten() async throws {
    try await EventBufferTesting.withBuffer { buffer, redis, _ in
      let event = try Self.event("a")
      _ = try await buffer.accept([event], shard: Self.shard)
      let id = SeenID("a", environment: Self.environment)
      let bucket = Self.keys.seen(bucket: SeenTable().bucket(of: id))
      // As it is written in Lua: hours, which go round, less 4096.
      let hour = Int(ServerClock.processTime().microseconds / 3_600_000_000) % 8192
      let old = ((hour - 31 * 24) % 8192 + 8192) % 8192 - 4096
      _ = try redis.command([
        [UInt8]("HSET".utf8), bucket, id.bytes, [UInt8](String(old).utf8),
      ])
      try await #expect(buffer.accept([event], shard: Self.shard) == [.accepted])
      try await #expect(buffer.accept([event], shard: Self.shard) == [.replayed])
      try #expect(SeenTableUpkeep(redis: redis).size(shard: Self.shard).idCount == 1)
    }
  }

  @Test("a Redis without memory refuses, and leaves no trace")
  func outOfMemory() async throws {
    let server = TestRedis()
    server.start()
    defer { server.remove() }
    try await EventBufferTesting.withBuffer(url: server.url) { buffer, redis, _ in
      try await #expect(buffer.accept([Self.event("a")], shard: Self.shard) == [.accepted])
      _ = try redis.command(RedisTesting.words("CONFIG", "SET", "maxmemory", "1"))
      let error = await #expect(throws: StorageError.self) {
        try await buffer.accept([Self.event("b"), Self.event("c")], shard: Self.shard)
      }
      guard case .unavailable(.redis, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      _ = try redis.command(RedisTesting.words("CONFIG", "SET", "maxmemory", "0"))
      try #expect(Self.stored(redis) == 1)
      #expect(try redis.number("GET", Self.keys.backlog) == 1)
      try await #expect(
        buffer.accept([Self.event("b"), Self.event("a")], shard: Self.shard)
          == [.accepted, .replayed])
    }
  }

  @Test("the largest request: 500 events with ids")
  func large() async throws {
    try await EventBufferTesting.withBuffer(backlogMax: 1500) { buffer, redis, loop in
      let requests = try (0..<3).map { request in
        try (0..<500).map { try Self.event("\(request)-\($0)") }
      }
      let tasks = requests.map { events in
        loop.start(with: buffer) { try await $0.accept(events, shard: Self.shard) }
      }
      for task in tasks { try await #expect(task.value.allSatisfy { $0 == .accepted }) }
      let rows = try redis.list(Self.keys.buffer).flatMap { try #require(EventCoding.rows(of: $0)) }
      #expect(rows.map(\.eventID) == requests.flatMap { $0 }.map(\.id))
    }
  }

  // MARK: Support

  private static func stored(_ redis: RedisSession) throws -> Int {
    try redis.list(keys.buffer).reduce(0) { $0 + EventCoding.count(of: $1) }
  }

  private static func event(
    _ clientEventID: String?, unit: String = "u", in environment: ULID = environment
  ) throws -> Event {
    try EventBufferTesting.event(clientEventID, unit: unit, in: environment)
  }
}
