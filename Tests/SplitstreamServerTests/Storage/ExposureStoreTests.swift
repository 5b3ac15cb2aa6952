import Testing

@testable import SplitstreamServer

/// Who was shown what: once per unit and variant, and where somebody else buckets, the assignment
/// itself.
@Suite struct ExposureStoreTests {
  private typealias Exposure = ExposureStore.Exposure
  private typealias Outcome = ExposureStore.Outcome

  /// Runs `body` with an exposure store and an assignment store of one loop.
  private static func withStores<Value: Sendable>(
    _ body:
      @escaping @Sendable (ExposureStore, AssignmentStore, EventLoop) async throws -> Value
  ) async throws -> Value {
    try await StorageTesting.shared().onLoop { database, loop in
      let ids = IDSource(clock: ServerClock())
      let cache = AssignmentCache(bytesMax: 1 << 16)
      return try await body(
        ExposureStore(database: database, ids: ids),
        AssignmentStore(database: database, cache: cache, ids: ids, on: loop), loop)
    }
  }

  private static func exposure(
    _ unit: String, _ variant: Int, of experiment: RunningExperiment
  ) throws -> Exposure {
    Exposure(
      experiment: experiment, unit: try .named(unit), variant: experiment.variants[variant])
  }

  /// `unit variant` of every stored exposure, in the order of the ids within a unit.
  private static func stored(_ experiment: RunningExperiment) throws -> [String] {
    try StorageTesting.shared().texts(
      """
      SELECT unit_id || ' ' || variant_id FROM exposure_events WHERE experiment_id = $1
      ORDER BY unit_id, exposed_at, id
      """, .id(experiment.id)
    ).map { row in
      let parts = row.split(separator: " ")
      let variant = ULID(uuid: String(parts[1])).flatMap { experiment.variant($0) }
      return "\(parts[0]) \(variant?.key ?? "?")"
    }
  }

  /// `unit variant generation` of every assignment, with a `*` when its exposure is logged.
  private static func assigned(_ experiment: RunningExperiment) throws -> [String] {
    try StorageTesting.shared().texts(
      """
      SELECT unit_id || ' ' || coalesce(variant_id::text, '-') || ' '
        || generation || CASE WHEN exposure_logged_at IS NULL THEN '' ELSE '*' END
      FROM assignments WHERE experiment_id = $1 ORDER BY unit_id
      """, .id(experiment.id)
    ).map { row in
      let parts = row.split(separator: " ")
      let variant = ULID(uuid: String(parts[1])).flatMap { experiment.variant($0) }
      return "\(parts[0]) \(variant?.key ?? "-") \(parts[2])"
    }
  }

  @Test("managed: an exposure agrees with its assignment or is left out, each alone")
  func managed() async throws {
    let experiment = try RunningExperiment.sample(weights: [100, 0])
    try await Self.withStores { exposures, assignments, _ in
      _ = try await assignments.assign(.named("quiet"), to: experiment, logsExposure: false)
      _ = try await assignments.assign(.named("loud"), to: experiment, logsExposure: true)
      let batch = [
        try Self.exposure("stranger", 0, of: experiment),
        try Self.exposure("quiet", 1, of: experiment),
        try Self.exposure("quiet", 0, of: experiment), try Self.exposure("loud", 0, of: experiment),
        try Self.exposure("quiet", 0, of: experiment), try Self.exposure("loud", 1, of: experiment),
      ]
      let expected: [Outcome] = [
        .notAssigned, .otherVariant, .logged, .logged, .logged, .otherVariant,
      ]
      try await #expect(exposures.log(batch) == expected)
      let before = try await assignments.stored(.named("quiet"), in: experiment)
      #expect(before?.exposureLoggedAt != nil)
      try await #expect(exposures.log(batch) == expected)
      try await #expect(assignments.stored(.named("quiet"), in: experiment) == before)
    }
    try #expect(Self.stored(experiment) == ["loud v0", "quiet v0"])
    try #expect(Self.assigned(experiment) == ["loud v0 1*", "quiet v0 1*"])
  }

  @Test("managed: a vacated unit has no assignment")
  func vacated() async throws {
    let experiment = try RunningExperiment.sample(weights: [100, 0])
    try await Self.withStores { exposures, assignments, _ in
      _ = try await assignments.assign(.named("u"), to: experiment, logsExposure: false)
      let session = try StorageTesting.shared().session()
      let sql = "UPDATE assignments SET variant_id = NULL, generation = 2 WHERE experiment_id = $1"
      _ = try session.execute(Statement(name: "vacate", sql: sql), [.id(experiment.id)])
      try await #expect(
        exposures.log([Self.exposure("u", 0, of: experiment)]) == [.notAssigned])
      _ = try await assignments.assign(.named("u"), to: experiment, logsExposure: false)
      try await #expect(exposures.log([Self.exposure("u", 0, of: experiment)]) == [.logged])
    }
    try #expect(Self.assigned(experiment) == ["u v0 2*"])
  }

  @Test("external: the first exposure is the assignment, a second variant is another exposure")
  func external() async throws {
    let experiment = try RunningExperiment.sample(mode: .external)
    try await Self.withStores { exposures, assignments, _ in
      // In one batch, out of order and repeated: the first named decides.
      for _ in 0..<20 {
        let batch = [
          try Self.exposure("b", 1, of: experiment), try Self.exposure("a", 1, of: experiment),
          try Self.exposure("a", 0, of: experiment), try Self.exposure("a", 1, of: experiment),
        ]
        try await #expect(exposures.log(batch) == [.logged, .logged, .logged, .logged])
      }
      try await #expect(exposures.log([Self.exposure("b", 0, of: experiment)]) == [.logged])
      let stored = try await assignments.stored(.named("b"), in: experiment)
      #expect(stored?.variantID == experiment.variants[1].id && stored?.exposureLoggedAt != nil)
    }
    try #expect(Self.stored(experiment) == ["a v1", "a v0", "b v1", "b v0"])
    try #expect(Self.assigned(experiment) == ["a v1 1*", "b v1 1*"])
  }

  @Test("external: a unit vacated is assigned anew by its next exposure")
  func externalVacated() async throws {
    let experiment = try RunningExperiment.sample(mode: .external)
    try await Self.withStores { exposures, _, _ in
      _ = try await exposures.log([Self.exposure("u", 0, of: experiment)])
      let session = try StorageTesting.shared().session()
      let sql = "UPDATE assignments SET variant_id = NULL, generation = 2 WHERE experiment_id = $1"
      _ = try session.execute(Statement(name: "vacate", sql: sql), [.id(experiment.id)])
      _ = try await exposures.log([Self.exposure("u", 1, of: experiment)])
    }
    try #expect(Self.stored(experiment) == ["u v0", "u v1"])
    try #expect(Self.assigned(experiment) == ["u v1 2*"])
  }

  @Test("many batches of the same units in any order, from two processes at once, all succeed")
  func concurrent() async throws {
    let managed = try RunningExperiment.sample(weights: [100, 0])
    let external = try RunningExperiment.sample(mode: .external)
    let units = (0..<40).map { "unit-\($0)" }
    try await Self.withStores { _, assignments, _ in
      for unit in units {
        _ = try await assignments.assign(.named(unit), to: managed, logsExposure: false)
      }
    }
    let processes = (0..<3).map { process in
      Task {
        try await Self.withStores { exposures, assignments, loop in
          var random = SplitMix64(seed: UInt64(process))
          for _ in 0..<5 {
            // Process 2 has them all to look up: it takes the same locks for another reason.
            let calls = try units.shuffled(using: &random).map { unit in
              let unit = try UnitID.named(unit)
              return loop.start(with: assignments) {
                try await $0.assign(unit, to: managed, logsExposure: true)
              }
            }
            let batch = try units.shuffled(using: &random).flatMap { unit in
              [
                try Self.exposure(unit, 0, of: managed),
                try Self.exposure(unit, process % 2, of: external),
              ]
            }
            let outcomes = try await exposures.log(batch)
            #expect(outcomes.allSatisfy { $0 == .logged })
            for call in calls { _ = try await call.value }
          }
        }
      }
    }
    for process in processes { try await process.value }
    try #expect(Self.stored(managed).count == units.count)
    try #expect(Self.stored(external).count == 2 * units.count)
  }

  /// The order of the locks, seen from outside: whoever waits for the first unit holds none of the
  /// others.
  @Test("assignments are locked in the order of their units")
  func lockOrder() async throws {
    let experiment = try RunningExperiment.sample(weights: [100, 0])
    let units = (0..<300).map { "unit-\($0)" }
    let stores = try StorageTesting.shared()
    try await Self.withStores { exposures, assignments, loop in
      for unit in units {
        _ = try await assignments.assign(.named(unit), to: experiment, logsExposure: false)
      }
      let session = try stores.session()
      let first = Statement(
        name: "first",
        sql: """
          SELECT unit_id, pg_backend_pid() FROM assignments WHERE experiment_id = $1
          ORDER BY unit_id LIMIT 1 FOR UPDATE
          """)
      try session.script("BEGIN")
      let pid = try session.rows(first, [.id(experiment.id)]) { row throws(PostgresError) in
        try row.int(1)
      }[0]
      let batch = try units.reversed().map { try Self.exposure($0, 0, of: experiment) }
      let task = loop.start(with: exposures) { try await $0.log(batch) }
      // The loop must turn for the statement to leave; another thread looks.
      try await stores.waitUntil(
        "SELECT count(*) FROM pg_stat_activity WHERE $1::bigint::int = ANY (pg_blocking_pids(pid))",
        .int(pid))
      let free = try stores.count(
        """
        SELECT count(*) FROM (
          SELECT 1 FROM assignments WHERE experiment_id = $1 FOR UPDATE SKIP LOCKED) AS free
        """, .id(experiment.id))
      #expect(free == units.count - 1)
      try session.script("COMMIT")
      try await #expect(task.value.allSatisfy { $0 == .logged })
    }
  }
}
