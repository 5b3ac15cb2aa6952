import Testing

@testable import SplitstreamServer

/// However the world changes around it, a unit keeps its variant until somebody re-buckets it on
/// purpose.
///
/// Two servers stand for two processes: they share the database and nothing else. Their caches hold
/// a few hundred entries, so that most calls find theirs evicted.
@Suite struct StickyForEverTests {
  private let stores: TestStores
  private let tenant: TestTenant

  init() throws {
    stores = try TestStores.make()
    try stores.migrate()
    tenant = try stores.makeTenant(environments: ["dev"])
  }

  private func server() throws -> RunningServer {
    try RunningServer(stores) { $0.assignments.cacheBytesMax = 1 }
  }

  private func ask(_ server: RunningServer, _ operation: Operation, _ body: String) async throws
    -> APIReply
  {
    try await server.call(operation, as: .key(tenant.key), body: body)
  }

  private func experiment(on server: RunningServer, _ members: String = "") async throws
    -> TestExperiment
  {
    try await server.running(in: tenant.dev, members, as: .key(tenant.key))
  }

  private func assign(_ unit: String, to experiment: TestExperiment, on server: RunningServer)
    async throws -> APIReply
  {
    try await server.assign(unit, to: experiment, as: .key(tenant.clientKey))
  }

  /// Returns when `listener` has heard of all that was re-bucketed through `speaker` so far:
  /// notices come in the order of the commits.
  private func untilHeard(
    from speaker: RunningServer, by listener: RunningServer, marker: TestExperiment
  ) async throws {
    let before = try await assign("marker", to: marker, on: listener)
    let reply = try await speaker.call(.forceRebucket, marker.id, "marker", as: .key(tenant.key))
    #expect(reply.status == 204)
    var now = before
    for _ in 0..<1000 where now.body == before.body {
      now = try await assign("marker", to: marker, on: listener)
    }
    #expect(now.body != before.body)
  }

  @Test(
    "one variant, one row and one exposure per generation, through weights, restarts, evictions")
  func sticky() async throws {
    var generator = SplitMix64(seed: 20_261_121)
    var servers = [try server(), try server()]
    defer { for server in servers { server.stop() } }
    let experiment = try await experiment(on: servers[0])
    let marker = try await self.experiment(on: servers[0])
    let other = servers[1]
    try await everywhere("the other process knows both experiments") {
      // It hears of them in the order of their creation.
      try await assign("somebody", to: marker, on: other).status == 200
    }
    let units = (0..<24).map { "unit\($0)" }
    /// Per unit the answer of each generation.
    var answers: [String: [[UInt8]]] = [:]
    for round in 0..<6 {
      let weight = Int.random(in: 0...100, using: &generator)
      let patch = """
        {"variants":[{"key":"control","weight":\(weight)},\
        {"key":"treatment","weight":\(100 - weight)}]}
        """
      let patched = try await servers[round % 2].call(
        .updateExperiment, experiment.id, as: .key(tenant.key), body: patch)
      #expect(patched.status == 200)
      for unit in units.shuffled(using: &generator).prefix(8) {
        let pair = servers
        let replies = try await concurrently(32) { index in
          try await assign(unit, to: experiment, on: pair[index % 2])
        }
        let bodies = Set(replies.map(\.body))
        #expect(Set(replies.map(\.status)) == [200])
        #expect(bodies.count == 1, "\(unit) in round \(round)")
        if answers[unit]?.last != replies[0].body {
          answers[unit, default: []].append(replies[0].body)
        }
        if Bool.random(using: &generator) {
          let reply = try await servers[round % 2].call(
            .forceRebucket, experiment.id, unit, as: .key(tenant.key))
          #expect(reply.status == 204)
          // The other process hears of it within a second; until then it may still answer as
          // before.
          let speaker = servers[round % 2]
          let listener = servers[1 - round % 2]
          try await untilHeard(from: speaker, by: listener, marker: marker)
          let next = try await concurrently(32) { index in
            try await assign(unit, to: experiment, on: index % 2 == 0 ? speaker : listener)
          }
          #expect(Set(next.map(\.body)).count == 1)
          #expect(next[0].text("assignment_id") != replies[0].text("assignment_id"))
          answers[unit, default: []].append(next[0].body)
        }
      }
      servers[round % 2].stop()
      servers[round % 2] = try server()
    }
    let rows = try stores.texts(
      "SELECT unit_id || ' ' || generation FROM assignments WHERE experiment_id = $1 ORDER BY 1",
      .id(ULID(experiment.id)))
    let expected = answers.map { "\($0.key) \($0.value.count)" }.sorted()
    #expect(rows.sorted() == expected)
    let exposures = try stores.texts(
      """
      SELECT unit_id || ' ' || count(*) FROM exposure_events WHERE experiment_id = $1
      GROUP BY unit_id HAVING count(*) FILTER (WHERE superseded_at IS NULL) = 1
        AND count(*) = count(DISTINCT generation)
      """, .id(ULID(experiment.id)))
    #expect(exposures.sorted() == expected)
  }

  @Test(
    "32 first calls over the experiments of a group: one has the unit, for all, with one variant")
  func mutexStorm() async throws {
    let servers = [try server(), try server()]
    defer { for server in servers { server.stop() } }
    let made = try await ask(servers[0], .createMutexGroup, #"{"key":"group","name":"Group"}"#)
    let member = #""mutex_group_id":"\#(try #require(made.text("id")))","#
    var experiments: [TestExperiment] = []
    for _ in 0..<4 { experiments.append(try await experiment(on: servers[0], member)) }
    let all = experiments
    let marker = try await experiment(on: servers[0])
    let other = servers[1]
    for experiment in all + [marker] {
      try await everywhere("the other server has heard of \(experiment.key)") {
        try await assign("first", to: experiment, on: other).status == 200
      }
    }
    let keys = all.map { "\"\($0.key)\"" }.joined(separator: ",")
    for unit in (0..<16).map({ "unit\($0)" }) {
      for round in 0..<2 {
        let replies = try await concurrently(32) { index -> [(String, String)] in
          let server = servers[index % 2]
          if index % 8 == 7 {
            let reply = try await server.call(
              .assignBatch, as: .key(tenant.clientKey),
              body: #"{"experiments":[\#(keys)],"unit_id":"\#(unit)"}"#)
            #expect(reply.status == 200)
            return reply.json["assignments"]?.members.compactMap { key, value in
              value["variant"]?.string.map { (key, $0) }
            } ?? []
          }
          let reply = try await assign(unit, to: all[index / 2 % 4], on: server)
          #expect(reply.status == 200)
          return reply.text("variant").map { [(all[index / 2 % 4].key, $0)] } ?? []
        }
        let seen = Set(replies.flatMap { $0 }.map { "\($0.0) \($0.1)" })
        #expect(seen.count == 1, "\(unit): \(seen)")
        let live = try stores.texts(
          """
          SELECT e.key FROM assignments a JOIN experiments e ON e.id = a.experiment_id
          JOIN mutex_claims c ON c.experiment_id = e.id AND c.unit_id = a.unit_id
          WHERE a.unit_id = $1 AND a.variant_id IS NOT NULL
          """, .text(unit))
        #expect(live.count == 1)
        let assigned = try stores.texts(
          "SELECT unit_id FROM assignments WHERE unit_id = $1 AND variant_id IS NOT NULL",
          .text(unit))
        #expect(assigned.count == 1)
        guard round == 0, let holder = live.first else { continue }
        // Free again, and again for one only.
        let freed = try await servers[0].call(.forceRebucket, holder, unit, as: .key(tenant.key))
        #expect(freed.status == 204)
        try await untilHeard(from: servers[0], by: servers[1], marker: marker)
      }
    }
  }
}
