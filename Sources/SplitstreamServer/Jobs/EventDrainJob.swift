import Dispatch
import Glibc
import Logging
import Synchronization

/// Brings accepted events from Redis to PostgreSQL, every second.
///
/// Any number of processes may do so at once: a chunk is taken by one of them, committed once, and
/// adopted by another when its lease ends.
final class EventDrainJob: Sendable {
  private struct State {
    var postgres: SessionHolder
    var redis: RedisHolder
    var ids: ULIDGenerator
    var prunedAt: DispatchTime?
    var failures: FailureLog
  }

  private struct Upkeep {
    var redis: RedisHolder
    /// Until when each shard's remembered ids have been looked through for old ones.
    var sweptUntil: [Int: Timestamp] = [:]
    var failures: FailureLog
  }

  /// After a chunk of so many events the next one is not waited for.
  private static let backlogMin = 1000

  /// How often in the time of a tick the remembered ids are looked after: little at once, for it
  /// holds up the requests that come meanwhile.
  private static let upkeepsPerTick = 5

  private let queue: JobQueue<State>
  /// Apart, for Redis waits for the disk after each of its many small steps.
  private let upkeep: JobQueue<Upkeep>
  private let isWoken = Atomic<Bool>(false)
  private let shards: @Sendable () -> Set<Int>
  private let clock: ServerClock
  private let leaseSeconds: Int
  private let retentionDays: Int
  private let log: Logger

  /// - Parameters:
  ///   - retentionDays: how long events are kept; 0 is for ever.
  ///   - shards: those that events may wait in, asked at each round.
  init(
    postgres: PostgresAddress, redis: RedisDeployment, clock: ServerClock, leaseSeconds: Int,
    retentionDays: Int = 0, log: Logger,
    shards: @escaping @Sendable () -> Set<Int>
  ) {
    queue = JobQueue(
      "event drain",
      state: State(
        postgres: SessionHolder(postgres, applicationName: "splitstream drain"),
        redis: RedisHolder(redis),
        ids: ULIDGenerator(refill: { IDSource.randomWords() }), failures: FailureLog(log)))
    upkeep = JobQueue(
      "remembered ids", state: Upkeep(redis: RedisHolder(redis), failures: FailureLog(log)))
    self.shards = shards
    self.clock = clock
    self.leaseSeconds = leaseSeconds
    self.retentionDays = retentionDays
    self.log = log
  }

  func start(everyMilliseconds: Int) {
    queue.every(milliseconds: everyMilliseconds) { [self] in tick(&$0) }
    upkeep.every(milliseconds: max(everyMilliseconds / Self.upkeepsPerTick, 1)) { [self] state in
      do throws(StorageError) {
        for shard in shards().sorted() { try keepSeenTable(of: shard, &state) }
        state.failures.succeeded("the upkeep of remembered ids")
      } catch {
        state.redis.close()
        state.failures.failed("the upkeep of remembered ids", error)
      }
    }
  }

  /// Drains without waiting for the next tick: much has been accepted. For any thread.
  func wake() {
    if isWoken.exchange(true, ordering: .relaxed) { return }
    queue.async { [self] state in
      isWoken.store(false, ordering: .relaxed)
      tick(&state)
    }
  }

  func stop() {
    upkeep.stop()
    upkeep.sync { $0.redis.close() }
    queue.stop()
    queue.sync { state in
      state.postgres.close()
      state.redis.close()
    }
  }

  /// Returns when every event of `shard` that was accepted before this call is in PostgreSQL, also
  /// those that another process has taken.
  ///
  /// - Throws: `StorageError.outcomeUnknown` when that takes longer than `seconds`; nothing is
  ///   lost.
  func settle(shard: Int, withinSeconds seconds: Double) async throws {
    let deadline = DispatchTime.now() + seconds
    var awaited = try await queue.perform { [self] in try drainAndList(shard, &$0) }
    while !awaited.isEmpty {
      guard DispatchTime.now() < deadline else { throw Self.unsettled(awaited) }
      try await Task.sleep(for: .milliseconds(20))
      awaited = try await queue.perform { [self, awaited] in
        awaited.intersection(try drainAndList(shard, &$0))
      }
    }
  }

  /// The same for a caller that may block and goes on anyway: false when it took too long or a
  /// store is away.
  func isSettled(shard: Int, withinSeconds seconds: Double) -> Bool {
    let deadline = DispatchTime.now() + seconds
    do {
      var awaited = try queue.sync { try drainAndList(shard, &$0) }
      while !awaited.isEmpty {
        guard DispatchTime.now() < deadline else { throw Self.unsettled(awaited) }
        usleep(20_000)
        awaited.formIntersection(try queue.sync { try drainAndList(shard, &$0) })
      }
      return true
    } catch {
      log.notice(
        "events accepted before a stop are still on their way", metadata: ["error": "\(error)"])
      return false
    }
  }

  private static func unsettled(_ chunks: Set<ULID>) -> StorageError {
    .outcomeUnknown(.redis, "\(chunks.count) chunks are still under way")
  }

  /// - Returns: the chunks under way, taken by whomever. Looked at after the buffer: another
  ///   process may take it at any moment before.
  private func drainAndList(
    _ shard: Int, _ state: inout State
  ) throws(StorageError) -> Set<ULID> {
    try drain(shard, &state)
    return try EventChunks(redis: try state.redis.open()).outstanding(shard: shard)
  }

  private func tick(_ state: inout State) {
    do throws(StorageError) {
      // Made months ahead: when that fails, no event need wait for it.
      let partitions = keepPartitions(&state)
      let shards = shards().sorted()
      // Whoever waits for the queue has a turn.
      let deadline = DispatchTime.now() + .seconds(1)
      var isBusy = true
      while isBusy {
        isBusy = false
        for shard in shards {
          isBusy = try drain(shard, &state) >= Self.backlogMin || isBusy
        }
        isBusy = isBusy && DispatchTime.now() < deadline
      }
      try partitions.get()
      try prune(shards, &state)
      state.failures.succeeded("draining events")
    } catch {
      // Both connections are in doubt; what was taken is repeated.
      state.postgres.close()
      state.redis.close()
      state.failures.failed("draining events", error)
    }
  }

  /// Once an hour, and with the first tick.
  private func prune(_ shards: [Int], _ state: inout State) throws(StorageError) {
    if let last = state.prunedAt, DispatchTime.now() < last + .seconds(3600) { return }
    let chunks = EventChunks(redis: try state.redis.open())
    var outstanding: Set<ULID> = []
    var drained: Set<Int> = []
    for shard in shards {
      // Again, for what was received before the chunk that is now looked for.
      try drain(shard, &state)
      let own = try chunks.outstanding(shard: shard)
      if own.isEmpty { drained.insert(shard) }
      outstanding.formUnion(own)
    }
    try DrainHistory(session: try state.postgres.open()).prune(
      outstanding: outstanding, drained: drained)
    state.prunedAt = .now()
  }

  private func keepPartitions(_ state: inout State) -> Result<Void, StorageError> {
    Result { () throws(StorageError) in
      let partitions = EventPartitions(session: try state.postgres.open())
      try partitions.make()
      if retentionDays > 0 { try partitions.drop(olderThanDays: retentionDays) }
    }
  }

  private func keepSeenTable(of shard: Int, _ state: inout Upkeep) throws(StorageError) {
    let upkeep = SeenTableUpkeep(redis: try state.redis.open())
    let now = clock.now
    let table = try upkeep.resize(shard: shard)
    try upkeep.sweep(table, shard: shard, since: state.sweptUntil[shard] ?? now, until: now)
    state.sweptUntil[shard] = now
  }

  /// Stores what was accepted before this call: chunks that nobody holds, then the buffer, once.
  ///
  /// What comes in meanwhile waits for the next call, so that each call ends, however busy the
  /// shard.
  ///
  /// - Returns: how many events those were.
  @discardableResult
  private func drain(_ shard: Int, _ state: inout State) throws(StorageError) -> Int {
    var count = 0
    let chunks = EventChunks(redis: try state.redis.open())
    let store = EventStore(session: try state.postgres.open())
    let buffer = state.ids.make(at: clock.now)
    while let chunk = try chunks.take(shard: shard, newID: buffer, leaseSeconds: leaseSeconds) {
      count += try drain(chunk, of: shard, chunks, store)
      if chunk == buffer { break }
    }
    return count
  }

  private func drain(
    _ chunk: ULID, of shard: Int, _ chunks: EventChunks, _ store: EventStore
  ) throws(StorageError) -> Int {
    let outcome: EventStore.Outcome
    var reader = EventChunks.Reader(chunk: chunk, shard: shard, chunks: chunks)
    var renewed = DispatchTime.now()
    do throws(StorageError) {
      outcome = try store.store(chunk) { start throws(StorageError) in
        // Redis waits for the disk each time.
        if DispatchTime.now() > renewed + .milliseconds(leaseSeconds * 1000 / 4) {
          try chunks.renew(chunk, shard: shard, leaseSeconds: leaseSeconds)
          renewed = DispatchTime.now()
        }
        return try reader.next(from: start)
      }
    } catch {
      // A passing fault: nobody need wait for the lease to end. Any other keeps it, so that a chunk
      // that cannot be stored does not stand in the way of those after it.
      if error.isPassing { try? chunks.renew(chunk, shard: shard, leaseSeconds: 0) }
      throw error
    }
    try chunks.remove(chunk, of: outcome.total, shard: shard)
    if outcome.setAside > 0 {
      log.error(
        "PostgreSQL refused events; they are in rejected_events",
        metadata: ["chunk": "\(chunk)", "count": .stringConvertible(outcome.setAside)])
    }
    return outcome.total
  }
}
