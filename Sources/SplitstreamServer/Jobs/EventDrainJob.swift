import Dispatch
import Logging

/// Brings accepted events from Redis to PostgreSQL, every second.
///
/// Any number of processes may do so at once: a chunk is taken by one of them, committed once, and
/// adopted by another when its lease ends.
final class EventDrainJob: Sendable {
  private struct State {
    var postgres: SessionHolder
    var redis: RedisHolder
    var ids: ULIDGenerator
    /// Until when each shard's remembered ids have been looked through for old ones.
    var sweptUntil: [Int: Timestamp] = [:]
    var failures: FailureLog
  }

  private let queue: JobQueue<State>
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
    self.shards = shards
    self.clock = clock
    self.leaseSeconds = leaseSeconds
    self.retentionDays = retentionDays
    self.log = log
  }

  func start(everyMilliseconds: Int) {
    queue.every(milliseconds: everyMilliseconds) { [self] state in
      do throws(StorageError) {
        // Made months ahead: when that fails, no event need wait for it.
        let partitions = keepPartitions(&state)
        for shard in shards().sorted() {
          // Only memory is at stake: without any left, draining is what helps.
          let upkeep = keepSeenTable(of: shard, &state)
          try drain(shard, &state)
          try upkeep.get()
        }
        try partitions.get()
        state.failures.succeeded("draining events")
      } catch {
        // Both connections are in doubt; what was taken is repeated.
        state.postgres.close()
        state.redis.close()
        state.failures.failed("draining events", error)
      }
    }
  }

  func stop() {
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
    let deadline = DispatchTime.now().uptimeNanoseconds + UInt64(seconds * 1e9)
    // Looked at after the buffer: another process may take it at any moment before.
    var awaited = try await queue.perform { [self] state in
      try drain(shard, &state)
      return try EventChunks(redis: try state.redis.open()).outstanding(shard: shard)
    }
    while !awaited.isEmpty {
      guard DispatchTime.now().uptimeNanoseconds < deadline else {
        throw StorageError.outcomeUnknown(.redis, "\(awaited.count) chunks are still under way")
      }
      try await Task.sleep(for: .milliseconds(20))
      awaited = try await queue.perform { [self, awaited] state in
        try drain(shard, &state)
        let chunks = EventChunks(redis: try state.redis.open())
        return awaited.intersection(try chunks.outstanding(shard: shard))
      }
    }
  }

  private func keepPartitions(_ state: inout State) -> Result<Void, StorageError> {
    Result { () throws(StorageError) in
      let partitions = EventPartitions(session: try state.postgres.open())
      try partitions.make()
      if retentionDays > 0 { try partitions.drop(olderThanDays: retentionDays) }
    }
  }

  private func keepSeenTable(
    of shard: Int, _ state: inout State
  ) -> Result<Void, StorageError> {
    Result { () throws(StorageError) in
      let upkeep = SeenTableUpkeep(redis: try state.redis.open())
      let now = clock.now
      try upkeep.resize(shard: shard)
      try upkeep.sweep(shard: shard, since: state.sweptUntil[shard] ?? now, until: now)
      state.sweptUntil[shard] = now
    }
  }

  /// Stores what was accepted before this call: chunks that nobody holds, then the buffer, once.
  ///
  /// What comes in meanwhile waits for the next call, so that each call ends, however busy the
  /// shard.
  private func drain(_ shard: Int, _ state: inout State) throws(StorageError) {
    let chunks = EventChunks(redis: try state.redis.open())
    let store = EventStore(session: try state.postgres.open())
    let buffer = state.ids.make(at: clock.now)
    while let chunk = try chunks.take(shard: shard, newID: buffer, leaseSeconds: leaseSeconds) {
      try drain(chunk, of: shard, chunks, store)
      if chunk == buffer { return }
    }
  }

  private func drain(
    _ chunk: ULID, of shard: Int, _ chunks: EventChunks, _ store: EventStore
  ) throws(StorageError) {
    let outcome: EventStore.Outcome
    do throws(StorageError) {
      outcome = try store.store(chunk) { start, count throws(StorageError) in
        if start > 0 { try chunks.renew(chunk, shard: shard, leaseSeconds: leaseSeconds) }
        return try chunks.entries(of: chunk, shard: shard, from: start, count: count)
      }
    } catch {
      // A passing fault: nobody need wait for the lease to end. Any other keeps it, so that a chunk
      // that cannot be stored does not stand in the way of those after it.
      if error.isPassing { try? chunks.renew(chunk, shard: shard, leaseSeconds: 0) }
      throw error
    }
    try chunks.remove(chunk, shard: shard)
    if outcome.setAside > 0 {
      log.error(
        "PostgreSQL refused events; they are in rejected_events",
        metadata: ["chunk": "\(chunk)", "count": .stringConvertible(outcome.setAside)])
    }
  }
}
