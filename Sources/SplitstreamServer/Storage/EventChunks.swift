/// Takes accepted events out of Redis in chunks that survive whoever took them. One thread's at a
/// time.
///
/// A chunk is the whole buffer, renamed in one atomic step and leased. Whoever commits it in
/// PostgreSQL removes it; when its lease ends before, another process adopts it.
struct EventChunks {
  let redis: any RedisCaller

  /// The oldest chunk without a lease, else the buffer made a chunk under `newID`; nil when there
  /// is nothing to do.
  func take(shard: Int, newID: ULID, leaseSeconds: Int) throws(StorageError) -> ULID? {
    let keys = EventKeys(shard: shard)
    let reply = try redis.evaluated(
      Self.take, keys: [keys.buffer, keys.chunks, keys.chunk(newID)],
      arguments: [[UInt8](newID.text.utf8), decimal(leaseSeconds * 1000)])
    guard case .bytes(let bytes) = reply else { return nil }
    return ULID(String(decoding: bytes, as: UTF8.self))
  }

  /// All chunks under way, taken by whomever.
  func outstanding(shard: Int) throws(StorageError) -> Set<ULID> {
    let reply = try redis.commanded([
      [UInt8]("ZRANGE".utf8), EventKeys(shard: shard).chunks, decimal(0), decimal(-1),
    ])
    guard case .array(let members) = reply else { return [] }
    return Set(
      members.compactMap { member in
        if case .bytes(let bytes) = member {
          ULID(String(decoding: bytes, as: UTF8.self))
        } else {
          nil
        }
      })
  }

  /// Up to `count` entries of a chunk from `start` on; empty at its end.
  func entries(of chunk: ULID, shard: Int, from start: Int, count: Int) throws(StorageError)
    -> [[UInt8]]
  {
    let reply = try redis.commanded([
      [UInt8]("LRANGE".utf8), EventKeys(shard: shard).chunk(chunk), decimal(start),
      decimal(start + count - 1),
    ])
    guard case .array(let entries) = reply else {
      throw .failed(.redis, "LRANGE of a chunk answered \(reply)")
    }
    return entries.compactMap { if case .bytes(let bytes) = $0 { bytes } else { nil } }
  }

  /// Reads a chunk, about a mebibyte at once.
  struct Reader {
    let chunk: ULID
    let shard: Int
    let chunks: EventChunks
    /// So many entries are about as much, by those read so far; few enough that the largest fit
    /// into memory.
    private var count = 16
    private static let countMax = 128
    private static let bytesWanted = 1 << 20

    init(chunk: ULID, shard: Int, chunks: EventChunks) {
      (self.chunk, self.shard, self.chunks) = (chunk, shard, chunks)
    }

    /// The entries from `start` on; none at the end.
    mutating func next(from start: Int) throws(StorageError) -> [[UInt8]] {
      let entries = try chunks.entries(of: chunk, shard: shard, from: start, count: count)
      let bytes = entries.reduce(0) { $0 + $1.count }
      if bytes > 0 {
        count = min(max(entries.count * Self.bytesWanted / bytes, 1), Self.countMax)
      }
      return entries
    }
  }

  /// Keeps the lease from ending while the chunk is worked on.
  func renew(_ chunk: ULID, shard: Int, leaseSeconds: Int) throws(StorageError) {
    _ = try redis.evaluated(
      Self.renew, keys: [EventKeys(shard: shard).chunks],
      arguments: [[UInt8](chunk.text.utf8), decimal(leaseSeconds * 1000)])
  }

  /// Forgets a committed chunk and takes its `count` events off the backlog, once, however often it
  /// is called.
  func remove(_ chunk: ULID, of count: Int, shard: Int) throws(StorageError) {
    let keys = EventKeys(shard: shard)
    _ = try redis.evaluated(
      Self.remove, keys: [keys.chunk(chunk), keys.backlog, keys.chunks, keys.buffer],
      arguments: [[UInt8](chunk.text.utf8), decimal(count)])
  }

  private func decimal(_ number: Int) -> [UInt8] { [UInt8](String(number).utf8) }

  /// KEYS: buffer, chunks, the new chunk. ARGV: the new chunk's id, the lease in milliseconds.
  /// Redis's clock decides.
  static let take = RedisScript(
    name: "take_chunk",
    source: """
      local time = redis.call('TIME')
      local now = time[1] * 1000 + math.floor(time[2] / 1000)
      local lease = now + tonumber(ARGV[2])
      local orphan = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1)[1]
      if orphan then
        redis.call('ZADD', KEYS[2], lease, orphan)
        return orphan
      end
      if redis.call('EXISTS', KEYS[1]) == 0 then return false end
      redis.call('ZADD', KEYS[2], lease, ARGV[1])
      redis.call('RENAME', KEYS[1], KEYS[3])
      return ARGV[1]
      """)

  static let renew = RedisScript(
    name: "renew_chunk",
    source: """
      local time = redis.call('TIME')
      local now = time[1] * 1000 + math.floor(time[2] / 1000)
      return redis.call('ZADD', KEYS[1], 'XX', now + tonumber(ARGV[2]), ARGV[1])
      """)

  static let remove = RedisScript(
    name: "remove_chunk",
    source: """
      local count = 0
      if redis.call('DEL', KEYS[1]) == 1 then
        count = tonumber(ARGV[2])
        redis.call('DECRBY', KEYS[2], count)
      end
      redis.call('ZREM', KEYS[3], ARGV[1])
      -- Whatever was miscounted ends with the last chunk.
      if redis.call('EXISTS', KEYS[3], KEYS[4]) == 0 then redis.call('DEL', KEYS[2]) end
      return count
      """)
}
