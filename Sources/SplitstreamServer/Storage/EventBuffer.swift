/// Accepts events: into Redis, in one atomic step with the memory of their ids. Loop-owned.
///
/// All that one loop turn collects goes in one script call; each request is judged whole.
final class EventBuffer {
  /// After so many accepted events the drain need not wait for its time.
  static let manyCount = 300
  /// How many connections a loop gives it.
  static let connectionCount = 4

  /// Those that carry no call at the moment.
  private var idle: [any RedisLoopClient]
  private let loop: EventLoop
  private let backlogMax: Int
  private let confirmsReplays: Bool
  private let onMany: () -> Void
  /// Accepted since it was called last.
  private var acceptedCount = 0
  /// As the script of each shard last saw it.
  private var tables: [Int: SeenTable] = [:]
  private lazy var batcher = TurnBatcher<Delivery, [Verdict]>(
    loop: loop, weightMax: 500, sendsMax: idle.count, weight: { $0.events.count },
    send: { [unowned self] in await deliver($0) })

  /// How often a request follows a table that is being resized: more often than that is done at
  /// once, by two processes.
  private static let attemptsMax = 2 * SeenTableUpkeep.resizesMax + 1
  /// A page ends with the event that reaches it, so that the drain can read many at once.
  private static let pageBytesMax = 64 << 10

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

  /// - Parameters:
  ///   - redis: connections, each of which carries one call at a time. Redis waits for the disk
  ///     once for all calls that it has read, and reads one of each connection in between.
  ///   - confirmsReplays: replicas are waited for: also for what was written before a replay,
  ///     perhaps on another connection.
  ///   - onMany: called each time that `manyCount` events have been accepted.
  init(
    redis: [any RedisLoopClient], backlogMax: Int, confirmsReplays: Bool = false, loop: EventLoop,
    onMany: @escaping () -> Void = {}
  ) {
    self.onMany = onMany
    precondition(!redis.isEmpty, "a buffer needs a connection")
    idle = redis
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
    guard let redis = idle.popLast() else { preconditionFailure("more batches than connections") }
    defer { idle.append(redis) }
    var results = [Result<[Verdict], StorageError>](
      repeating: .failure(.backlogFull), count: deliveries.count)
    for (shard, places) in Dictionary(grouping: deliveries.indices, by: { deliveries[$0].shard }) {
      do {
        let verdicts = try await push(
          places.map { deliveries[$0].events }, shard: shard, on: redis)
        for (place, verdict) in zip(places, verdicts) {
          results[place] = verdict.map(Result.success) ?? .failure(.backlogFull)
          acceptedCount += verdict?.count ?? 0
        }
      } catch {
        for place in places { results[place] = .failure(error) }
      }
    }
    if acceptedCount >= Self.manyCount {
      acceptedCount = 0
      onMany()
    }
    return results
  }

  /// The verdicts of each request, nil for one that did not fit.
  private func push(
    _ requests: [[Event]], shard: Int, on redis: any RedisLoopClient
  ) async throws(StorageError) -> [[Verdict]?] {
    guard let marks = try await marks(for: requests.flatMap(\.self), shard: shard, on: redis) else {
      // Each may fit alone, and what comes first goes first.
      if requests.count == 1 { return [nil] }
      var verdicts: [[Verdict]?] = []
      for request in requests {
        verdicts += try await push([request], shard: shard, on: redis)
      }
      return verdicts
    }
    var next = 0
    return requests.map { events in
      defer { next += events.count }
      return marks.isEmpty
        ? [Verdict](repeating: .accepted, count: events.count)
        : marks[next..<next + events.count].map {
          $0 == UInt8(ascii: "r") ? .replayed : .accepted
        }
    }
  }

  /// What the script says of the events, nothing when all are new; nil when they do not fit. Asked
  /// again while the table of remembered ids has been resized.
  private func marks(
    for events: [Event], shard: Int, on redis: any RedisLoopClient
  ) async throws(StorageError) -> [UInt8]? {
    let ids = events.map { event in
      event.clientEventID.map { SeenID($0, environment: event.environmentID) }
    }
    let pages = Self.pages(events, ids)
    for _ in 0..<Self.attemptsMax {
      let table = tables[shard] ?? SeenTable()
      let keys = EventKeys(shard: shard)
      let names =
        [keys.buffer, keys.backlog, keys.seen]
        + ids.compactMap { $0.map { keys.seen(bucket: table.bucket(of: $0)) } }
      let arguments =
        [backlogMax, table.bucketCount, confirmsReplays ? 1 : 0, events.count].map(decimal) + pages
      do throws(RedisError) {
        switch try await redis.evaluate(Self.accept, keys: names, arguments: arguments) {
        case .bytes(let marks) where marks.isEmpty || marks.count == events.count: return marks
        case .null: return nil
        case .integer(let bucketCount): tables[shard] = SeenTable(bucketCount: bucketCount)
        case let reply: throw .server("the accept script answered \(reply)")
        }
      } catch {
        throw StorageError(error)
      }
    }
    throw .unavailable(.redis, "the table of remembered ids does not keep still")
  }

  /// Pairs of what the script reads of a page's events and the page.
  private static func pages(_ events: [Event], _ ids: [SeenID?]) -> [[UInt8]] {
    var pages: [[UInt8]] = []
    var heads: [UInt8] = []
    var page = EventPage()
    for (event, id) in zip(events, ids) {
      let length = page.append(event)
      withUnsafeBytes(of: UInt32(length).bigEndian) { heads.append(contentsOf: $0) }
      if let id { id.append(to: &heads) } else { heads += [UInt8](repeating: 0, count: 12) }
      if page.bytes.count >= pageBytesMax {
        pages += [heads, page.bytes]
        (heads, page) = ([], EventPage())
      }
    }
    return page.count == 0 ? pages : pages + [heads, page.bytes]
  }

  private func decimal(_ number: Int) -> [UInt8] { [UInt8](String(number).utf8) }

  /// Answers one mark per event, `n` new or `r` replayed, or nothing when all are new; nil, and
  /// nothing was done, when they do not fit. A number instead: the table of remembered ids has that
  /// size, and nothing was done.
  ///
  /// KEYS: buffer, backlog, the table, then the bucket of each id. ARGV: the largest backlog, the
  /// table's size, 1 to write something in any case, the number of events, then of each page its
  /// events' heads, 16 bytes each, and itself. A head is the length of the event's row and its id,
  /// zeros for none. What makes the script refuse comes before its first write, and want of memory
  /// refuses only that one: a refusal leaves no trace.
  static let accept = RedisScript(
    name: "accept_events",
    source: SeenHour.lua + """
      local call, sub = redis.call, string.sub
      local buckets = call('HGET', KEYS[3], 'buckets') or '\(SeenTable.bucketCountMin)'
      if buckets ~= ARGV[2] then return tonumber(buckets) end
      local backlog = tonumber(call('GET', KEYS[2]) or '0')
      local backlog_max = tonumber(ARGV[1])
      local no_id = string.rep(string.char(0), 12)
      if backlog + tonumber(ARGV[4]) > backlog_max then
        local new, known, place = 0, {}, 3
        for position = 5, #ARGV, 2 do
          local heads = ARGV[position]
          for last = 16, #heads, 16 do
            local id = sub(heads, last - 11, last)
            if id ~= no_id then place = place + 1 end
            local stamp = id ~= no_id and call('HGET', KEYS[place], id)
            if not known[id] and not (stamp and is_young(tonumber(stamp))) then
              new = new + 1
              known[id] = id ~= no_id
            end
          end
        end
        if new > 0 and backlog + new > backlog_max then return false end
      end
      local stamp = string.format('%d', \(SeenHour.stamp))
      local place, new, added, replayed, marks = 3, 0, 0, false, {}
      for position = 5, #ARGV, 2 do
        local heads, page = ARGV[position], ARGV[position + 1]
        local first = #marks
        local fresh = 0
        for last = 16, #heads, 16 do
          local id = sub(heads, last - 11, last)
          local mark = 'n'
          if id ~= no_id then
            place = place + 1
            if call('HSETNX', KEYS[place], id, stamp) == 1 then
              added = added + 1
            elseif is_young(tonumber(call('HGET', KEYS[place], id))) then
              mark = 'r'
            else
              call('HSET', KEYS[place], id, stamp)
            end
          end
          if mark == 'n' then fresh = fresh + 1 end
          marks[#marks + 1] = mark
        end
        if fresh < #marks - first then
          replayed = true
          local rows, start = {}, \(EventCoding.pageHeaderLength) + 1
          for i = 1, #marks - first do
            local length = struct.unpack('>I4', heads, 16 * i - 15)
            if marks[first + i] == 'n' then
              rows[#rows + 1] = sub(page, start, start + length - 1)
            end
            start = start + length
          end
          page = sub(page, 1, 1) .. struct.pack('>I4', fresh) .. table.concat(rows)
        end
        if fresh > 0 then call('RPUSH', KEYS[1], page) end
        new = new + fresh
      end
      if new > 0 or ARGV[3] == '1' then call('INCRBY', KEYS[2], new) end
      if added > 0 then call('HINCRBY', KEYS[3], 'ids', added) end
      return replayed and table.concat(marks) or ''
      """)
}
