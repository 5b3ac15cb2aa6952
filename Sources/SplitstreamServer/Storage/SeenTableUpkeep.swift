/// Keeps the table of remembered `client_event_id`s in shape: forgets the old, and grows or shrinks
/// it with their number. One thread's at a time; any number of processes may.
struct SeenTableUpkeep {
  let redis: any RedisCaller
  /// How many buckets one script call touches: a few milliseconds.
  private static let bucketsPerCall = 64
  /// How often one call of `resize` changes the size of a table.
  static let resizesMax = 4

  /// Does some of the resizing that is due: each script call keeps Redis for a few milliseconds
  /// only.
  ///
  /// - Returns: the table as it was seen last.
  @discardableResult
  func resize(shard: Int) throws(StorageError) -> SeenTable {
    var table = SeenTable()
    for _ in 0..<Self.resizesMax {
      let idCount: Int
      (table, idCount) = try size(shard: shard)
      let buckets = table.bucketCount
      if idCount > buckets * SeenTable.idsPerBucketMax {
        let wanted = idCount / SeenTable.idsPerBucketMax + 1
        try grow(to: min(wanted, buckets + Self.bucketsPerCall), from: buckets, shard: shard)
      } else if idCount < buckets * SeenTable.idsPerBucketMin, buckets > SeenTable.bucketCountMin {
        let wanted = max(idCount / SeenTable.idsPerBucketMin, SeenTable.bucketCountMin)
        try shrink(to: max(wanted, buckets - Self.bucketsPerCall), from: buckets, shard: shard)
      } else {
        break
      }
    }
    return table
  }

  /// Forgets what is old in the part of the table whose turn it was since `last`: all of it once a
  /// day.
  func sweep(
    _ table: SeenTable, shard: Int, since last: Timestamp, until now: Timestamp
  ) throws(StorageError) {
    for part in Self.parts(since: last, until: now, of: table.bucketCount) {
      var first = part.lowerBound
      while first < part.upperBound {
        let next = min(first + Self.bucketsPerCall, part.upperBound)
        let keys = EventKeys(shard: shard)
        _ = try redis.evaluated(
          Self.forget, keys: [keys.seen] + (first..<next).map(keys.seen(bucket:)), arguments: [])
        first = next
      }
    }
  }

  /// The table's size and the number of ids in it.
  func size(shard: Int) throws(StorageError) -> (table: SeenTable, idCount: Int) {
    let reply = try redis.commanded([
      [UInt8]("HMGET".utf8), EventKeys(shard: shard).seen, [UInt8]("buckets".utf8),
      [UInt8]("ids".utf8),
    ])
    guard case .array(let fields) = reply, fields.count == 2 else {
      throw .failed(.redis, "HMGET of two fields answered \(reply)")
    }
    func number(_ reply: RedisReply) -> Int? {
      if case .bytes(let digits) = reply {
        Int(String(decoding: digits, as: UTF8.self))
      } else {
        nil
      }
    }
    return (
      SeenTable(bucketCount: number(fields[0]) ?? SeenTable.bucketCountMin), number(fields[1]) ?? 0
    )
  }

  /// The buckets whose turn comes in that time, when they all have theirs within each day.
  static func parts(since last: Timestamp, until now: Timestamp, of buckets: Int) -> [Range<Int>] {
    let day = 86_400_000_000
    guard now > last else { return [] }
    guard now.microseconds - last.microseconds < day else { return [0..<buckets] }
    let start = last.microseconds % day * buckets / day
    let end = now.microseconds % day * buckets / day
    return start <= end ? [start..<end] : [start..<buckets, 0..<end]
  }

  private func grow(to count: Int, from old: Int, shard: Int) throws(StorageError) {
    let keys = EventKeys(shard: shard)
    var names = [keys.seen]
    var arguments = [decimal(old)]
    for bucket in old..<count {
      names += [keys.seen(bucket: SeenTable.parent(of: bucket)), keys.seen(bucket: bucket)]
      arguments.append(decimal(SeenTable.modulus(of: bucket)))
    }
    _ = try redis.evaluated(Self.split, keys: names, arguments: arguments)
  }

  private func shrink(to count: Int, from old: Int, shard: Int) throws(StorageError) {
    let keys = EventKeys(shard: shard)
    var names = [keys.seen]
    for bucket in (count..<old).reversed() {
      names += [keys.seen(bucket: SeenTable.parent(of: bucket)), keys.seen(bucket: bucket)]
    }
    _ = try redis.evaluated(Self.merge, keys: names, arguments: [decimal(old)])
  }

  private func decimal(_ number: Int) -> [UInt8] { [UInt8](String(number).utf8) }

  // MARK: Scripts. KEYS begin with the table's own; the others are buckets.

  /// What the scripts that move ids begin with. Nothing is done to a table that another process has
  /// resized meanwhile: its size is not ARGV[1].
  private static let moving = """
    local buckets = tonumber(redis.call('HGET', KEYS[1], 'buckets') or \(SeenTable.bucketCountMin))
    if buckets ~= tonumber(ARGV[1]) then return buckets end
    local function put(bucket, fields)
      for first = 1, #fields, 1000 do
        redis.call('HSET', bucket, unpack(fields, first, math.min(first + 999, #fields)))
      end
    end

    """

  /// Then pairs of a parent and a new bucket, with the modulus of each in ARGV. The parent is
  /// written anew, because Redis does not pack again what has once been too large.
  static let split = RedisScript(
    name: "split_seen",
    source: moving + """
      for pair = 1, #ARGV - 1 do
        local modulus = tonumber(ARGV[pair + 1])
        local fields = redis.call('HGETALL', KEYS[2 * pair])
        local stay, go = {}, {}
        for i = 1, #fields, 2 do
          local a, b, c, d = string.byte(fields[i], 1, 4)
          local target = (((a * 256 + b) * 256 + c) * 256 + d) % modulus == buckets and go or stay
          target[#target + 1] = fields[i]
          target[#target + 1] = fields[i + 1]
        end
        redis.call('DEL', KEYS[2 * pair])
        put(KEYS[2 * pair], stay)
        put(KEYS[2 * pair + 1], go)
        buckets = buckets + 1
      end
      redis.call('HSET', KEYS[1], 'buckets', buckets)
      return buckets
      """)

  /// Then pairs of a parent and a bucket that goes, the highest first.
  static let merge = RedisScript(
    name: "merge_seen",
    source: moving + """
      for pair = 2, #KEYS, 2 do
        put(KEYS[pair], redis.call('HGETALL', KEYS[pair + 1]))
        redis.call('DEL', KEYS[pair + 1])
        buckets = buckets - 1
      end
      redis.call('HSET', KEYS[1], 'buckets', buckets)
      return buckets
      """)

  static let forget = RedisScript(
    name: "forget_seen",
    source: SeenHour.lua + """
      local count = 0
      for i = 2, #KEYS do
        local fields = redis.call('HGETALL', KEYS[i])
        for j = 1, #fields, 2 do
          if not is_young(tonumber(fields[j + 1])) then
            count = count + redis.call('HDEL', KEYS[i], fields[j])
          end
        end
      end
      if count > 0 then redis.call('HINCRBY', KEYS[1], 'ids', -count) end
      return count
      """)
}
