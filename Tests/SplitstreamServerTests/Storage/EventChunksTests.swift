import Testing

@testable import SplitstreamServer

/// Chunks: the whole buffer in one step, one owner until the lease ends, removed once.
@Suite struct EventChunksTests {
  private static let shard = 7
  private static let keys = EventKeys(shard: shard)

  private static func chunks() throws -> EventChunks {
    let url = TestServers.shared.redisDatabaseURL()
    return EventChunks(redis: try RedisSession(to: RedisAddress(parsing: url)))
  }

  /// Puts entries where the accept script puts them.
  private static func fill(_ chunks: EventChunks, _ entries: Int) throws {
    for entry in 0..<entries {
      let value = [UInt8]("entry \(entry)".utf8)
      _ = try chunks.redis.command([[UInt8]("RPUSH".utf8), keys.buffer, value])
    }
    let count = [UInt8](String(entries).utf8)
    _ = try chunks.redis.command([[UInt8]("INCRBY".utf8), keys.backlog, count])
  }

  private static func texts(_ entries: [[UInt8]]) -> [String] {
    entries.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test("the buffer becomes a chunk; what comes later becomes the next")
  func take() throws {
    let chunks = try Self.chunks()
    try #expect(chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 60) == nil)
    try Self.fill(chunks, 5)
    let first = ULID.new()
    try #expect(chunks.take(shard: Self.shard, newID: first, leaseSeconds: 60) == first)
    try #expect(chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 60) == nil)
    try Self.fill(chunks, 1)
    let second = ULID.new()
    try #expect(chunks.take(shard: Self.shard, newID: second, leaseSeconds: 60) == second)
    try #expect(chunks.outstanding(shard: Self.shard) == [first, second])
    try #expect(chunks.outstanding(shard: Self.shard + 1) == [])
    try #expect(chunks.redis.number("GET", Self.keys.backlog) == 6)
  }

  @Test("entries are read in pages, in their order")
  func pages() throws {
    let chunks = try Self.chunks()
    try Self.fill(chunks, 5)
    let id = try #require(try chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 60))
    func page(_ start: Int) throws -> [String] {
      Self.texts(try chunks.entries(of: id, shard: Self.shard, from: start, count: 2))
    }
    try #expect(page(0) == ["entry 0", "entry 1"])
    try #expect(page(4) == ["entry 4"])
    try #expect(page(5) == [])
  }

  @Test("a chunk whose lease has ended is adopted before the buffer is taken, by one")
  func adoption() throws {
    let chunks = try Self.chunks()
    try Self.fill(chunks, 2)
    let orphan = try #require(try chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 60))
    // Given back, as at the end of its lease.
    try chunks.renew(orphan, shard: Self.shard, leaseSeconds: 0)
    try Self.fill(chunks, 1)
    let mine = ULID.new()
    try #expect(chunks.take(shard: Self.shard, newID: mine, leaseSeconds: 60) == orphan)
    try #expect(chunks.take(shard: Self.shard, newID: mine, leaseSeconds: 60) == mine)
    try #expect(chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 60) == nil)
  }

  @Test("a lease that is renewed does not end, and a removed chunk is not brought back by it")
  func renewal() throws {
    let chunks = try Self.chunks()
    try Self.fill(chunks, 1)
    let id = try #require(try chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 0))
    try chunks.renew(id, shard: Self.shard, leaseSeconds: 60)
    try #expect(chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 60) == nil)
    try chunks.remove(id, of: 1, shard: Self.shard)
    try chunks.renew(id, shard: Self.shard, leaseSeconds: 0)
    try #expect(chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 60) == nil)
  }

  @Test("a chunk is taken off the backlog once, however often it is removed")
  func remove() throws {
    let chunks = try Self.chunks()
    try Self.fill(chunks, 3)
    let id = try #require(try chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 60))
    try Self.fill(chunks, 2)
    for _ in 0..<3 {
      try chunks.remove(id, of: 3, shard: Self.shard)
      try #expect(chunks.redis.number("GET", Self.keys.backlog) == 2)
    }
    try #expect(chunks.outstanding(shard: Self.shard) == [])
    try #expect(chunks.entries(of: id, shard: Self.shard, from: 0, count: 10) == [])
    // With the last chunk goes what was miscounted.
    let last = try #require(try chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 60))
    try chunks.remove(last, of: 1, shard: Self.shard)
    try #expect(chunks.redis.number("EXISTS", Self.keys.backlog) == 0)
  }

  @Test("a chunk of entries of any size is read whole")
  func reader() throws {
    let chunks = try Self.chunks()
    let entries = (0..<700).map { [UInt8](repeating: 7, count: $0 % 350 == 17 ? 500_000 : $0 + 1) }
    for entry in entries {
      _ = try chunks.redis.command([[UInt8]("RPUSH".utf8), Self.keys.buffer, entry])
    }
    let id = try #require(try chunks.take(shard: Self.shard, newID: .new(), leaseSeconds: 60))
    var reader = EventChunks.Reader(chunk: id, shard: Self.shard, chunks: chunks)
    var read: [[UInt8]] = []
    while true {
      let next = try reader.next(from: read.count)
      if next.isEmpty { break }
      read += next
    }
    #expect(read == entries)
  }
}
