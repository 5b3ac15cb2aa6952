/// Accepts events: into Redis, in one atomic step with the memory of their ids. Loop-owned.
///
/// All that one loop turn collects goes in one script call; each request is judged whole.
final class EventBuffer {
  private let redis: any RedisLoopClient
  private let loop: EventLoop
  private let backlogMax: Int
  private let confirmsReplays: Bool
  /// As the script of each shard last saw it.
  private var tables: [Int: SeenTable] = [:]
  private lazy var batcher = TurnBatcher<Delivery, [Verdict]>(
    loop: loop, weightMax: 500, weight: { $0.events.count },
    send: { [unowned self] in await deliver($0) })

  /// How often a request follows a table that is being resized: more often than that is done at
  /// once, by two processes.
  private static let attemptsMax = 2 * SeenTableUpkeep.resizesMax + 1

  /// The events of one request; all of one environment.
  private struct Delivery {
    let events: [Event]
    let shard: Int
  }

  enum Verdict: Equatable, Sendable {
    case accepted
    /// The id was accepted before; nothing was stored.
    case replayed
  }

  /// - Parameter confirmsReplays: replicas are waited for: also for what was written before a
  ///   replay, perhaps on another connection.
  init(
    redis: any RedisLoopClient, backlogMax: Int, confirmsReplays: Bool = false, loop: EventLoop
  ) {
    self.redis = redis
    self.confirmsReplays = confirmsReplays
    self.backlogMax = backlogMax
    self.loop = loop
  }

  /// Stores all of `events`, or none.
  ///
  /// - Throws: `StorageError.backlogFull` when they do not fit; nothing is remembered then.
  func accept(_ events: [Event], shard: Int) async throws(StorageError) -> [Verdict] {
    if events.isEmpty { return [] }
    return try await batcher.submit(Delivery(events: events, shard: shard))
  }

  private func deliver(_ deliveries: [Delivery]) async -> [Result<[Verdict], StorageError>] {
    var results = [Result<[Verdict], StorageError>](
      repeating: .failure(.backlogFull), count: deliveries.count)
    for (shard, places) in Dictionary(grouping: deliveries.indices, by: { deliveries[$0].shard }) {
      do {
        let verdicts = try await push(places.map { deliveries[$0].events }, shard: shard)
        for (place, verdict) in zip(places, verdicts) {
          results[place] = verdict.map(Result.success) ?? .failure(.backlogFull)
        }
      } catch {
        for place in places { results[place] = .failure(error) }
      }
    }
    return results
  }

  /// The verdicts of each request, nil for one that did not fit.
  private func push(_ requests: [[Event]], shard: Int) async throws(StorageError) -> [[Verdict]?] {
    let marks = try await marks(for: requests, shard: shard)
    var next = 0
    var verdicts: [[Verdict]?] = []
    for events in requests {
      guard next + events.count <= marks.count else {
        throw StorageError.failed(.redis, "the accept script answered \(marks.count) marks")
      }
      let own = marks[next..<next + events.count]
      next += events.count
      verdicts.append(
        own.first == UInt8(ascii: "f")
          ? nil : own.map { $0 == UInt8(ascii: "r") ? .replayed : .accepted })
    }
    return verdicts
  }

  /// What the script says of all events; again while the table of remembered ids has been resized.
  private func marks(for requests: [[Event]], shard: Int) async throws(StorageError) -> [UInt8] {
    let ids = requests.map { events in
      events.map { event in
        event.clientEventID.map { SeenID($0, environment: event.environmentID) }
      }
    }
    for _ in 0..<Self.attemptsMax {
      switch try await evaluate(requests, ids, shard: shard) {
      case .bytes(let marks): return marks
      case .integer(let bucketCount): tables[shard] = SeenTable(bucketCount: bucketCount)
      default: throw .failed(.redis, "the accept script answered no marks")
      }
    }
    throw .unavailable(.redis, "the table of remembered ids does not keep still")
  }

  private func evaluate(
    _ requests: [[Event]], _ ids: [[SeenID?]], shard: Int
  ) async throws(StorageError) -> RedisReply {
    let keys = EventKeys(shard: shard)
    let table = tables[shard] ?? SeenTable()
    var names = [keys.buffer, keys.backlog, keys.seen]
    var arguments = [
      decimal(backlogMax), decimal(table.bucketCount), decimal(confirmsReplays ? 1 : 0),
    ]
    for (events, ids) in zip(requests, ids) {
      arguments.append(decimal(events.count))
      for (event, id) in zip(events, ids) {
        arguments.append(id?.bytes ?? [])
        arguments.append(EventCoding.encode(event))
        if let id { names.append(keys.seen(bucket: table.bucket(of: id))) }
      }
    }
    do {
      return try await redis.evaluate(Self.accept, keys: names, arguments: arguments)
    } catch {
      throw StorageError(error)
    }
  }

  private func decimal(_ number: Int) -> [UInt8] { [UInt8](String(number).utf8) }

  /// Answers one mark per event: `n` new, `r` replayed; `f` for all events of a request that does
  /// not fit. A number instead: the table of remembered ids has that size, and nothing was done.
  ///
  /// KEYS: buffer, backlog, the table, then the bucket of each id. ARGV: the largest backlog, the
  /// table's size, 1 to write something in any case, then for each request its number of events and
  /// for each event its id (empty: none) and its entry. All reading comes before the first write,
  /// so that a script refused for want of memory leaves no trace.
  static let accept = RedisScript(
    name: "accept_events",
    source: SeenHour.lua + """
      local buckets = redis.call('HGET', KEYS[3], 'buckets') or '\(SeenTable.bucketCountMin)'
      if buckets ~= ARGV[2] then return tonumber(buckets) end
      local backlog = tonumber(redis.call('GET', KEYS[2]) or '0')
      local backlog_max = tonumber(ARGV[1])
      local marks, entries, ids, places, known = {}, {}, {}, {}, {}
      local position, place = 4, 3
      while position <= #ARGV do
        local count = tonumber(ARGV[position])
        position = position + 1
        local own_marks, own_entries, own_ids, own_places, own_known = {}, {}, {}, {}, {}
        for i = 1, count do
          local id = ARGV[position]
          local stamp = false
          if id ~= '' then
            place = place + 1
            stamp = redis.call('HGET', KEYS[place], id)
          end
          if known[id] or own_known[id] or (stamp and is_young(tonumber(stamp))) then
            own_marks[i] = 'r'
          else
            own_marks[i] = 'n'
            own_entries[#own_entries + 1] = ARGV[position + 1]
            if id ~= '' then
              own_ids[#own_ids + 1] = id
              own_places[#own_places + 1] = place
              own_known[id] = true
            end
          end
          position = position + 2
        end
        if #own_entries > 0 and backlog + #own_entries > backlog_max then
          marks[#marks + 1] = string.rep('f', count)
        else
          backlog = backlog + #own_entries
          marks[#marks + 1] = table.concat(own_marks)
          for _, entry in ipairs(own_entries) do entries[#entries + 1] = entry end
          for i, id in ipairs(own_ids) do
            ids[#ids + 1] = id
            places[#places + 1] = own_places[i]
            known[id] = true
          end
        end
      end
      for first = 1, #entries, 1000 do
        redis.call('RPUSH', KEYS[1], unpack(entries, first, math.min(first + 999, #entries)))
      end
      if #entries > 0 or ARGV[3] == '1' then redis.call('INCRBY', KEYS[2], #entries) end
      local added = 0
      for i, id in ipairs(ids) do
        added = added + redis.call('HSET', KEYS[places[i]], id, \(SeenHour.stamp))
      end
      if added > 0 then redis.call('HINCRBY', KEYS[3], 'ids', added) end
      return table.concat(marks)
      """)
}
