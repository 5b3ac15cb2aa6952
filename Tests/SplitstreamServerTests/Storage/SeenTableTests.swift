import Testing

@testable import SplitstreamServer

/// Which bucket an id is in: a table grows and shrinks without losing any.
@Suite struct SeenTableTests {
  @Test("ids have their first bytes as address, and their environment's scope")
  func ids() {
    let environment = ULID.new()
    let id = SeenID("order-1", environment: environment)
    #expect(id == SeenID("order-1", environment: environment))
    #expect(id != SeenID("order-1", environment: .new()))
    #expect(id.bytes.count == 12)
    let bytes = id.bytes.map(UInt32.init)
    #expect(id.address == bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3])
  }

  @Test("a table that grows by a bucket moves ids from its parent only")
  func growth() {
    let environment = ULID.new()
    let ids = (0..<500).map { SeenID("id-\($0)", environment: environment) }
    var places = ids.map(SeenTable().bucket)
    #expect(places.allSatisfy { (0..<SeenTable.bucketCountMin).contains($0) })
    for new in SeenTable.bucketCountMin..<(3 * SeenTable.bucketCountMin) {
      let table = SeenTable(bucketCount: new + 1)
      let next = ids.map(table.bucket)
      for ((id, old), place) in zip(zip(ids, places), next) where place != old {
        #expect(place == new)
        #expect(old == SeenTable.parent(of: new))
        #expect(Int(id.address) % SeenTable.modulus(of: new) == new)
      }
      places = next
    }
    let used = Set(places).count
    #expect(used > 250, "500 ids in \(used) buckets")
  }

  @Test("every bucket has its turn once a day")
  func sweep() {
    let midnight = Timestamp(microseconds: 20_000 * 86_400_000_000)
    for (start, seconds) in [(0, 60), (86_000, 1000), (3, 777)] {
      let first = midnight.adding(seconds: start)
      var buckets: [Int] = []
      for from in stride(from: 0, to: 86_400, by: seconds) {
        let last = first.adding(seconds: from)
        let until = first.adding(seconds: min(from + seconds, 86_400))
        for part in SeenTableUpkeep.parts(since: last, until: until, of: 5000) { buckets += part }
      }
      #expect(buckets.sorted() == Array(0..<5000))
    }
    let parts = SeenTableUpkeep.parts(since: midnight, until: midnight.adding(days: 9), of: 7)
    #expect(parts == [0..<7])
    // A clock that was set back.
    #expect(SeenTableUpkeep.parts(since: midnight.adding(days: 1), until: midnight, of: 7) == [])
  }
}

/// What a real Redis makes of it.
@Suite struct SeenTableUpkeepTests {
  private static let shard = 11
  private static let keys = EventKeys(shard: shard)
  private static let environment = ULID.new()

  @Test("a table grows and shrinks with the number of its ids; none is lost on the way")
  func resize() async throws {
    try await EventBufferTesting.withBuffer(backlogMax: 10_000) { buffer, redis, _ in
      let upkeep = SeenTableUpkeep(redis: redis)
      try await Self.accept(0..<5_000, as: .accepted, buffer)
      #expect(try upkeep.size(shard: Self.shard) == (SeenTable(), 5_000))
      // As many as the counter says: more than fit, then few again.
      for (idCount, bucketCount) in [(170_000, 3036), (5_000, SeenTable.bucketCountMin)] {
        let count = [UInt8](String(idCount).utf8)
        _ = try redis.number("HSET", Self.keys.seen, [UInt8]("ids".utf8), count)
        let table = try Self.resized(upkeep)
        #expect(table.bucketCount == bucketCount)
        #expect(try Self.misplaced(redis, table) == 0)
        try await Self.accept(0..<5_000, as: .replayed, buffer)
      }
    }
  }

  /// The table when it need not be resized any more.
  private static func resized(_ upkeep: SeenTableUpkeep) throws -> SeenTable {
    while true {
      let before = try upkeep.size(shard: shard).table
      try upkeep.resize(shard: shard)
      if try upkeep.size(shard: shard).table == before { return before }
    }
  }

  @Test("two processes resize at once: the second finds it done")
  func resizedMeanwhile() async throws {
    try await EventBufferTesting.withBuffer { buffer, redis, _ in
      try await Self.accept(0..<50, as: .accepted, buffer)
      let stale = RedisTesting.words("1023", "1024")
      let names = [Self.keys.seen, Self.keys.seen(bucket: 511), Self.keys.seen(bucket: 1023)]
      let answer = try redis.evaluate(SeenTableUpkeep.split, keys: names, arguments: stale)
      #expect(answer == .integer(SeenTable.bucketCountMin))
      try await Self.accept(0..<50, as: .replayed, buffer)
    }
  }

  /// Hours from now: 720 are 30 days.
  @Test(
    "an id is known for 30 days, to the hour, and then forgotten; also when the clock is set back",
    arguments: [(0, true), (-720, true), (-721, false), (-2000, false), (3, true), (1000, true)])
  func forgetting(hours: Int, isKnown: Bool) async throws {
    // All of it within one hour of the clock.
    let left = 3600 - ServerClock.processTime().microseconds / 1_000_000 % 3600
    if left < 30 { try await Task.sleep(for: .seconds(left)) }
    try await EventBufferTesting.withBuffer { buffer, redis, _ in
      try await Self.accept(0..<1, as: .accepted, buffer)
      let id = SeenID("id-0", environment: Self.environment)
      let bucket = Self.keys.seen(bucket: SeenTable().bucket(of: id))
      let stamp = try redis.number("HGET", bucket, id.bytes)
      let moved = (stamp + 4096 + hours + 8192) % 8192 - 4096
      let text = [UInt8](String(moved).utf8)
      _ = try redis.command(RedisTesting.words("HSET") + [bucket, id.bytes, text])
      let upkeep = SeenTableUpkeep(redis: redis)
      let day = Timestamp(microseconds: 0).adding(days: 1)
      try upkeep.sweep(
        SeenTable(), shard: Self.shard, since: Timestamp(microseconds: 0), until: day)
      #expect(try upkeep.size(shard: Self.shard).idCount == (isKnown ? 1 : 0))
      try await Self.accept(0..<1, as: isKnown ? .replayed : .accepted, buffer)
      #expect(try upkeep.size(shard: Self.shard).idCount == 1)
    }
  }

  @Test("an old id that no sweep has come to yet counts as new")
  func oldUnswept() async throws {
    try await EventBufferTesting.withBuffer { buffer, redis, _ in
      let id = SeenID("id-0", environment: Self.environment)
      let bucket = Self.keys.seen(bucket: SeenTable().bucket(of: id))
      try await Self.accept(0..<1, as: .accepted, buffer)
      let stamp = try redis.number("HGET", bucket, id.bytes)
      let old = [UInt8](String((stamp + 4096 - 721 + 8192) % 8192 - 4096).utf8)
      _ = try redis.command(RedisTesting.words("HSET") + [bucket, id.bytes, old])
      try await Self.accept(0..<1, as: .accepted, buffer)
      try await Self.accept(0..<1, as: .replayed, buffer)
      #expect(try SeenTableUpkeep(redis: redis).size(shard: Self.shard).idCount == 1)
    }
  }

  @Test("buckets stay packed, and an id costs less than a third of a key of its own")
  func memory() async throws {
    let server = TestRedis()
    server.start(["--hash-max-listpack-entries", "128", "--appendonly", "no"])
    defer { server.remove() }
    try await EventBufferTesting.withBuffer(backlogMax: 200_000, url: server.url) {
      buffer, redis, _ in
      let count = 60_000
      for first in stride(from: 0, to: count, by: 10_000) {
        try await Self.accept(first..<first + 10_000, as: .accepted, buffer)
        try SeenTableUpkeep(redis: redis).resize(shard: Self.shard)
      }
      _ = try redis.command(RedisTesting.words("DEL") + [Self.keys.buffer])
      let compact = try Self.memory(redis)
      let table = try SeenTableUpkeep(redis: redis).size(shard: Self.shard).table
      for bucket in 0..<table.bucketCount {
        let kind = try redis.command(
          RedisTesting.words("OBJECT", "ENCODING") + [Self.keys.seen(bucket: bucket)])
        #expect(kind == .bytes([UInt8]("listpack".utf8)))
      }
      _ = try redis.command(RedisTesting.words("FLUSHALL"))
      let empty = try Self.memory(redis)
      let plainKeys = RedisScript(
        name: "plain_keys",
        source: """
          for i = 1, ARGV[1] do
            redis.call('SET', 'splitstream:{1234}:seen:' .. string.format('%016d', i), '', 'EX', 2592000)
          end
          """)
      let argument = [[UInt8](String(count).utf8)]
      _ = try redis.evaluate(plainKeys, keys: [], arguments: argument)
      let plain = try Self.memory(redis)
      #expect(
        (compact - empty) * 3 < plain - empty, "\(compact - empty) and \(plain - empty) bytes")
    }
  }

  // MARK: Support

  private static func accept(
    _ numbers: Range<Int>, as verdict: EventBuffer.Verdict, _ buffer: EventBuffer
  ) async throws {
    for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 500) {
      let events = try (first..<min(first + 500, numbers.upperBound)).map {
        try EventBufferTesting.event("id-\($0)", in: environment)
      }
      let verdicts = try await buffer.accept(events, shard: shard)
      #expect(verdicts.allSatisfy { $0 == verdict })
    }
  }

  /// How many ids are in another bucket than they are looked for in.
  private static func misplaced(_ redis: RedisSession, _ table: SeenTable) throws -> Int {
    let modulus = SeenTable.modulus(of: table.bucketCount - 1)
    var count = 0
    for bucket in 0..<table.bucketCount {
      let reply = try redis.command(RedisTesting.words("HKEYS") + [keys.seen(bucket: bucket)])
      guard case .array(let fields) = reply else { continue }
      for case .bytes(let id) in fields {
        let address = id.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        let place = address % modulus
        if (place < table.bucketCount ? place : address % (modulus / 2)) != bucket { count += 1 }
      }
    }
    return count
  }

  private static func memory(_ redis: RedisSession) throws -> Int {
    guard case .bytes(let text) = try redis.command(RedisTesting.words("INFO", "memory")) else {
      return 0
    }
    let lines = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
    let line = lines.first { $0.hasPrefix("used_memory:") }
    return line.flatMap { Int($0.dropFirst("used_memory:".count)) } ?? 0
  }
}
