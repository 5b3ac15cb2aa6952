import Testing

@testable import SplitstreamServer

/// First assignments: decided by the database, once, together with their exposure.
@Suite struct AssignmentStoreTests {
  private static func withStore<Value: Sendable>(
    _ cache: AssignmentCache = AssignmentCache(bytesMax: 1 << 18),
    _ body: @escaping @Sendable (AssignmentStore, EventLoop) async throws -> Value
  ) async throws -> Value {
    try await StorageTesting.shared().onLoop { database, loop in
      let store = AssignmentStore(
        database: database, cache: cache, ids: IDSource(clock: ServerClock()), on: loop)
      return try await body(store, loop)
    }
  }

  private static func rows(of experiment: RunningExperiment) throws -> Int {
    try StorageTesting.shared().count(
      "SELECT count(*) FROM assignments WHERE experiment_id = $1", .id(experiment.id))
  }

  private static func exposures(of experiment: RunningExperiment) throws -> Int {
    try StorageTesting.shared().count(
      "SELECT count(*) FROM exposure_events WHERE experiment_id = $1", .id(experiment.id))
  }

  @Test("an assignment is what the hash says, is stored with its exposure, and stays")
  func first() async throws {
    let experiment = try RunningExperiment.sample(weights: [20, 30, 50])
    let cache = AssignmentCache(bytesMax: 1 << 18)
    let made = try await Self.withStore(cache) { store, loop in
      var made: [Assignment] = []
      for index in 0..<20 {
        let unit = try UnitID.named("unit-\(index)")
        let assignment = try await store.assign(unit, to: experiment, logsExposure: true)
        let slot = Bucketing.slot(of: unit, in: experiment.id)
        #expect(
          assignment.variantID == experiment.variants[experiment.allocation.owner(of: slot)].id)
        #expect(assignment.reason == .bucketed && assignment.exposureLoggedAt != nil)
        #expect(store.known(unit, in: experiment) == assignment)
        made.append(assignment)
      }
      return made
    }
    try #expect(Self.exposures(of: experiment) == 20)
    // Another process, which has never heard of them.
    try await Self.withStore { store, _ in
      for (index, assignment) in made.enumerated() {
        let unit = try UnitID.named("unit-\(index)")
        #expect(store.known(unit, in: experiment) == nil)
        try await #expect(store.assign(unit, to: experiment, logsExposure: true) == assignment)
        try await #expect(store.stored(unit, in: experiment) == assignment)
      }
      try await #expect(store.stored(.named("nobody"), in: experiment) == nil)
    }
    try #expect(Self.rows(of: experiment) == 20)
  }

  @Test("an assignment that logs no exposure stores none")
  func withoutExposure() async throws {
    let experiment = try RunningExperiment.sample()
    try await Self.withStore { store, _ in
      let unit = try UnitID.named("u")
      let quiet = try await store.assign(unit, to: experiment, logsExposure: false)
      #expect(quiet.exposureLoggedAt == nil)
      try await #expect(store.assign(unit, to: experiment, logsExposure: true) == quiet)
    }
    try #expect(Self.exposures(of: experiment) == 0)
  }

  @Test("of calls of one turn, one that logs the exposure is enough")
  func mixedTurn() async throws {
    let experiment = try RunningExperiment.sample()
    try await Self.withStore { store, loop in
      let unit = try UnitID.named("u")
      let tasks = [false, true, false].map { logs in
        loop.start(with: store) { try await $0.assign(unit, to: experiment, logsExposure: logs) }
      }
      for task in tasks { try await #expect(task.value.exposureLoggedAt != nil) }
    }
    try #expect(Self.exposures(of: experiment) == 1)
  }

  @Test("units that differ late, and equal ones of one turn, each get their own")
  func similar() async throws {
    let experiment = try RunningExperiment.sample()
    let names = ["0123456789abcdef", "0123456789abcdef-a", "0123456789abcdef-b", "0123456789abcde"]
    try await Self.withStore { store, loop in
      let tasks = try (names + names.reversed()).map { name in
        let unit = try UnitID.named(name)
        return loop.start(with: store) {
          (unit, try await $0.assign(unit, to: experiment, logsExposure: true))
        }
      }
      var ids: [String: ULID] = [:]
      for task in tasks {
        let (unit, assignment) = try await task.value
        let slot = Bucketing.slot(of: unit, in: experiment.id)
        #expect(
          assignment.variantID == experiment.variants[experiment.allocation.owner(of: slot)].id)
        #expect(ids[unit.text, default: assignment.id] == assignment.id)
        ids[unit.text] = assignment.id
      }
      #expect(Set(ids.values).count == names.count)
    }
    try #expect(Self.rows(of: experiment) == names.count)
    try #expect(Self.exposures(of: experiment) == names.count)
  }

  /// Two processes, as far as the database can tell: two loops, connections and caches.
  @Test("concurrent first calls for the same units find one row each, and log one exposure")
  func concurrent() async throws {
    let experiments = [try RunningExperiment.sample(), try RunningExperiment.sample()]
    let units = try (0..<16).map { try UnitID.named("unit-\($0)") }
    let wishes = experiments.flatMap { experiment in units.map { (experiment, $0) } }
    let processes = (0..<2).map { process in
      Task {
        try await Self.withStore { store, loop in
          var order = wishes
          var random = SplitMix64(seed: UInt64(process))
          order.shuffle(using: &random)
          let tasks = order.map { experiment, unit in
            loop.start(with: store) {
              try await $0.assign(unit, to: experiment, logsExposure: true)
            }
          }
          var answers: [String: Assignment] = [:]
          for ((experiment, unit), task) in zip(order, tasks) {
            answers["\(experiment.id) \(unit.text)"] = try await task.value
          }
          return answers
        }
      }
    }
    try await #expect(processes[0].value == processes[1].value)
    for experiment in experiments {
      try #expect(Self.rows(of: experiment) == units.count)
      try #expect(Self.exposures(of: experiment) == units.count)
    }
  }

  @Test("a vacated unit is hashed again with its generation, and keeps the better wish of its turn")
  func vacated() async throws {
    let experiment = try RunningExperiment.sample()
    let units = try (0..<8).map { try UnitID.named("unit-\($0)") }
    let stores = try StorageTesting.shared()
    try await Self.withStore { store, _ in
      for unit in units { _ = try await store.assign(unit, to: experiment, logsExposure: true) }
    }
    let session = try stores.session()
    _ = try session.execute(
      Statement(
        name: "vacate",
        sql: """
          UPDATE assignments SET variant_id = NULL, generation = 3, exposure_logged_at = NULL
          WHERE experiment_id = $1
          """), [.id(experiment.id)])
    try await Self.withStore { store, loop in
      for unit in units {
        try await #expect(store.stored(unit, in: experiment) == nil)
        let tasks = [false, true].map { logs in
          loop.start(with: store) { try await $0.assign(unit, to: experiment, logsExposure: logs) }
        }
        for task in tasks {
          let assignment = try await task.value
          let slot = Bucketing.slot(of: unit, in: experiment.id, generation: 3)
          let owner = experiment.allocation.owner(of: slot)
          #expect(assignment.variantID == experiment.variants[owner].id)
          #expect(assignment.exposureLoggedAt != nil)
        }
      }
    }
    #expect(
      try stores.texts(
        "SELECT DISTINCT generation::text FROM exposure_events WHERE experiment_id = $1 ORDER BY 1",
        .id(experiment.id)) == ["1", "3"])
    try #expect(Self.exposures(of: experiment) == 2 * units.count)
  }

  @Test("the weight epoch is the one that the unit was hashed with")
  func epoch() async throws {
    let first = try RunningExperiment.sample()
    try await Self.withStore { store, _ in
      _ = try await store.assign(.named("a"), to: first, logsExposure: true)
      let second = try first.reweighted(to: [0, 100])
      _ = try await store.assign(.named("b"), to: second, logsExposure: true)
      try await #expect(
        store.assign(.named("a"), to: second, logsExposure: true).reason == .bucketed)
    }
    #expect(
      try StorageTesting.shared().texts(
        "SELECT unit_id || epoch FROM assignments WHERE experiment_id = $1 ORDER BY 1",
        .id(first.id)) == ["a1", "b2"])
  }

  @Test(
    "a row that another process commits meanwhile is the answer; the rest of the batch is stored")
  func overtaken() async throws {
    let experiment = try RunningExperiment.sample()
    let stores = try StorageTesting.separate()
    let theirs = ULID.new()
    let texts = ["a", "b", "c"]
    try await stores.onLoop { database, loop in
      let session = try stores.session()
      try session.script("BEGIN")
      try session.execute(
        Statement(
          name: "theirs",
          sql: """
            INSERT INTO assignments
              (experiment_id, unit_id, assignment_id, variant_id, reason, generation, epoch)
            VALUES ($1, 'b', $2, $3, 'bucketed', 1, 1)
            """), [.id(experiment.id), .id(theirs), .id(experiment.variants[0].id)])
      let store = AssignmentStore(
        database: database, cache: AssignmentCache(bytesMax: 1 << 16),
        ids: IDSource(clock: ServerClock()), on: loop)
      let tasks = try texts.map { text in
        let unit = try UnitID.named(text)
        return loop.start(with: store) {
          try await $0.assign(unit, to: experiment, logsExposure: true)
        }
      }
      try await stores.waitUntil(
        """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event = 'transactionid'
        """)
      try session.script("COMMIT")
      for (text, task) in zip(texts, tasks) {
        let assignment = try await task.value
        #expect((assignment.id == theirs) == (text == "b"))
      }
    }
    try #expect(stores.count("SELECT count(*) FROM assignments") == 3)
    try #expect(stores.count("SELECT count(*) FROM exposure_events") == 2)
  }

  @Test("a connection is lost and another answers: it is asked before memory counts")
  func otherConnection() async throws {
    let experiment = try RunningExperiment.sample()
    let stores = try StorageTesting.separate()
    let unit = try UnitID.named("unit")
    let theirs = ULID.new()
    try await stores.onLoop { database, loop in
      // What is remembered may be answered only while PostgreSQL is away.
      let heartbeat = Heartbeat()
      heartbeat.note(loop.now - 10_000_000_000)
      let store = AssignmentStore(
        database: database, cache: AssignmentCache(bytesMax: 1 << 16), heartbeat: heartbeat,
        staleSecondsMax: 600, ids: IDSource(clock: ServerClock()), loop: loop)
      _ = try await store.assign(unit, to: experiment, logsExposure: true)
      let session = try stores.session()
      try session.script(
        "BEGIN; LOCK TABLE assignments; UPDATE assignments SET assignment_id = '\(theirs.uuidText)'"
      )
      let task = loop.start(with: store) {
        try await $0.assign(unit, to: experiment, logsExposure: true)
      }
      try await stores.waitUntil(
        """
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
        """)
      try session.script("COMMIT")
      #expect(try await task.value.id == theirs)
    }
  }

  @Test("one row that PostgreSQL refuses fails alone")
  func refusedRow() async throws {
    let experiment = try RunningExperiment.sample()
    let stores = try StorageTesting.separate()
    let session = try stores.session()
    try session.script(
      "ALTER TABLE assignments ADD CONSTRAINT refused CHECK (unit_id <> 'bad')")
    let cache = AssignmentCache(bytesMax: 1 << 16)
    try await stores.onLoop { database, loop in
      let store = AssignmentStore(
        database: database, cache: cache, ids: IDSource(clock: ServerClock()), on: loop)
      let wishes = ["a", "bad", "b", "c"]
      let tasks = try wishes.map { text in
        let unit = try UnitID.named(text)
        return loop.start(with: store) {
          try await $0.assign(unit, to: experiment, logsExposure: true)
        }
      }
      for (text, task) in zip(wishes, tasks) {
        if text == "bad" {
          await #expect(throws: StorageError.self) { try await task.value }
        } else {
          _ = try await task.value
        }
      }
    }
    try #expect(stores.count("SELECT count(*) FROM assignments") == 3)
  }
}
