import Testing

@testable import SplitstreamServer

/// The same events on a Redis Cluster: accepted, remembered, drained, also while a slot moves.
@Suite struct EventsOnClusterTests {
  private static let environment = ULID.new()
  /// Their slots are of three masters.
  private static let shards = [0, 1, 3]

  private static func accept(
    _ numbers: Range<Int>, shard: Int, _ buffer: EventBuffer
  ) async throws -> [EventBuffer.Verdict] {
    let events = try numbers.map {
      try EventBufferTesting.event("\(shard)-\($0)", in: environment)
    }
    return try await buffer.accept(events, shard: shard)
  }

  @Test("three masters: each shard is found, and found again when its slot has moved")
  func cluster() async throws {
    let cluster = try TestRedisCluster()
    defer { cluster.remove() }
    let stores = try StorageTesting.shared()
    let deployment = RedisDeployment(
      address: try RedisAddress(parsing: cluster.url), isCluster: true)
    let job = EventDrainJob(
      postgres: try PostgresAddress(parsing: stores.postgresURL), redis: deployment,
      clock: ServerClock(), leaseSeconds: 60, log: .silent
    ) { Set(Self.shards) }
    defer { job.stop() }
    let slots = Self.shards.map { RedisSlot.of(EventKeys(shard: $0).buffer) }
    let owners = try slots.map(cluster.owner)
    #expect(Set(owners).count == 3)
    let (source, slot) = (owners[0], slots[0])
    let target = try #require(cluster.ports.first { $0 != source })

    try await LoopRunner.run { loop in
      let client = deployment.client(
        scripts: [EventBuffer.accept], timeoutSeconds: 10, on: loop)
      defer { client.close() }
      let buffer = EventBuffer(redis: [client], backlogMax: 10_000, loop: loop)
      for shard in Self.shards {
        let verdicts = try await Self.accept(0..<100, shard: shard, buffer)
        #expect(verdicts.allSatisfy { $0 == .accepted })
      }
      #expect(client.isConnected)

      // Half of the keys are at either end: whole requests are refused for now, and nothing is
      // burnt.
      try cluster.beginMove(of: slot, from: source, to: target)
      try cluster.moveKeys(of: slot, from: source, to: target, count: 20)
      let error = await #expect(throws: StorageError.self) {
        try await Self.accept(50..<150, shard: 0, buffer)
      }
      #expect(error?.isPassing == true)
      // The others go on.
      let verdicts = try await Self.accept(100..<110, shard: 1, buffer)
      #expect(verdicts.allSatisfy { $0 == .accepted })

      // All keys are at the target, which does not own the slot yet: it answers after ASKING, where
      // no key is missing.
      try cluster.moveKeys(of: slot, from: source, to: target, count: 10_000)
      let asked = try await Self.accept(50..<100, shard: 0, buffer)
      #expect(asked.allSatisfy { $0 == .replayed })

      try cluster.endMove(of: slot, to: target)
      let moved = try await Self.accept(50..<160, shard: 0, buffer)
      #expect(moved == (50..<160).map { $0 < 100 ? .replayed : .accepted })
    }
    for shard in Self.shards { try await job.settle(shard: shard, withinSeconds: 20) }
    let stored = try stores.count(
      "SELECT count(DISTINCT client_event_id) FROM events WHERE environment_id = $1",
      .id(Self.environment))
    #expect(stored == 160 + 110 + 100)
    #expect(
      try stores.count(
        "SELECT count(*) FROM events WHERE environment_id = $1", .id(Self.environment)) == stored)
  }
}
