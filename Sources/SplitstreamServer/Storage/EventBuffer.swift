/// Accepts events: into Redis, in one atomic step with the memory of their ids. Loop-owned.
///
/// All that one loop turn collects goes in one script call; each request is judged whole.
final class EventBuffer {
  private let redis: RedisPipeline
  private let loop: EventLoop
  private let backlogMax: Int
  private lazy var batcher = TurnBatcher<Delivery, [Verdict]>(
    loop: loop, weightMax: 500, weight: { $0.events.count },
    send: { [unowned self] in await deliver($0) })

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

  init(redis: RedisPipeline, backlogMax: Int, loop: EventLoop) {
    self.redis = redis
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
    let keys = EventKeys(shard: shard)
    var names = [keys.buffer, keys.backlog]
    var arguments = [decimal(backlogMax), decimal(Event.daysMax * 86_400)]
    for events in requests {
      arguments.append(decimal(events.count))
      for event in events {
        if let id = event.clientEventID {
          names.append(keys.seen(id, environment: event.environmentID))
          arguments.append(decimal(names.count))
        } else {
          arguments.append(decimal(0))
        }
        arguments.append(EventCoding.encode(event))
      }
    }
    let marks = try await evaluate(names, arguments)
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

  private func evaluate(_ keys: [[UInt8]], _ arguments: [[UInt8]]) async throws(StorageError)
    -> [UInt8]
  {
    let reply: RedisReply
    do {
      reply = try await redis.evaluate(Self.accept, keys: keys, arguments: arguments)
    } catch {
      throw StorageError(error)
    }
    guard case .bytes(let marks) = reply else {
      throw .failed(.redis, "the accept script answered no marks")
    }
    return marks
  }

  private func decimal(_ number: Int) -> [UInt8] { [UInt8](String(number).utf8) }

  /// Answers one mark per event: `n` new, `r` replayed; `f` for all events of a request that does not fit.
  ///
  /// KEYS: buffer, backlog, then the keys of the ids. ARGV: the largest backlog, the seconds an id is remembered, then
  /// for each request its number of events and for each event the place of its id in KEYS (0: none) and its entry.
  /// All reading comes before the first write, so that a script refused for want of memory leaves no trace.
  static let accept = RedisScript(
    name: "accept_events",
    source: """
      local backlog = tonumber(redis.call('GET', KEYS[2]) or '0')
      local backlog_max = tonumber(ARGV[1])
      local marks, entries, ids, known = {}, {}, {}, {}
      local position = 3
      while position <= #ARGV do
        local count = tonumber(ARGV[position])
        position = position + 1
        local own_marks, own_entries, own_ids, own_known = {}, {}, {}, {}
        for i = 1, count do
          local place = tonumber(ARGV[position])
          local id = KEYS[place]
          if id and (known[id] or own_known[id] or redis.call('EXISTS', id) == 1) then
            own_marks[i] = 'r'
          else
            own_marks[i] = 'n'
            own_entries[#own_entries + 1] = ARGV[position + 1]
            if id then
              own_ids[#own_ids + 1] = id
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
          for _, id in ipairs(own_ids) do
            ids[#ids + 1] = id
            known[id] = true
          end
        end
      end
      for first = 1, #entries, 1000 do
        redis.call('RPUSH', KEYS[1], unpack(entries, first, math.min(first + 999, #entries)))
      end
      if #entries > 0 then redis.call('INCRBY', KEYS[2], #entries) end
      for _, id in ipairs(ids) do redis.call('SET', id, '', 'EX', ARGV[2]) end
      return table.concat(marks)
      """)
}
