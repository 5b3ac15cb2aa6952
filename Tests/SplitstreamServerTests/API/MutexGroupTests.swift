import Testing

@testable import SplitstreamServer

/// A unit takes part in one experiment of a group at most.
@Suite struct MutexGroupTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func group() async throws -> String {
    let key = server.newName("group")
    let reply = try await server.call(
      .createMutexGroup, body: #"{"key":"\#(key)","name":"Group"}"#)
    #expect(reply.status == 201)
    return try #require(reply.text("id"))
  }

  private func running(_ group: String, in environment: String? = nil) async throws
    -> TestExperiment
  {
    try await server.running(in: environment, #""mutex_group_id":"\#(group)","#)
  }

  private func claims(_ group: String) throws -> [String] {
    try server.stores.texts(
      """
      SELECT c.unit_id || ' ' || e.key FROM mutex_claims c
        JOIN experiments e ON e.id = c.experiment_id
      WHERE c.group_id = $1 ORDER BY 1
      """, .id(ULID(group)))
  }

  @Test("made, read, changed, listed, deleted; every step in the audit log")
  func lifecycle() async throws {
    let key = server.newName("group")
    let made = try await server.call(.createMutexGroup, body: #"{"key":"\#(key)","name":"One"}"#)
    #expect(made.status == 201)
    #expect(made.json["experiment_count"]?.integer == 0)
    let id = try #require(made.text("id"))
    #expect(try await server.call(.getMutexGroup, id).body == made.body)
    let renamed = try await server.call(.updateMutexGroup, id, body: #"{"name":"Two"}"#)
    #expect(renamed.text("name") == "Two")
    #expect(renamed.text("key") == key)
    #expect(try await server.call(.updateMutexGroup, id, body: "{}").body == renamed.body)
    let list = try await server.call(.listMutexGroups, query: "limit=200")
    #expect(list.json["data"]?.elements.contains { $0["id"]?.string == id } == true)
    #expect(try await server.call(.deleteMutexGroup, id).status == 204)
    for operation in [Operation.getMutexGroup, .deleteMutexGroup] {
      #expect(try await server.call(operation, id).status == 404)
    }
    let audit = try await server.call(.listAudit, query: "target_id=\(id)")
    #expect(
      audit.json["data"]?.elements.compactMap { $0["action"]?.string }
        == ["mutex_group.deleted", "mutex_group.updated", "mutex_group.created"])
  }

  @Test("keys are unique in a workspace, also under a race")
  func unique() async throws {
    let body = #"{"key":"\#(server.newName("group"))","name":"One"}"#
    let replies = try await concurrently(6) { _ in
      try await server.call(.createMutexGroup, body: body).status
    }
    #expect(replies.sorted() == [201, 409, 409, 409, 409, 409])
    let stranger = try await server.call(
      .createMutexGroup, as: .key(server.stranger.key), body: body)
    #expect(stranger.status == 201)
    let id = try #require(stranger.text("id"))
    for operation in [Operation.getMutexGroup, .updateMutexGroup, .deleteMutexGroup] {
      let body = operation == .updateMutexGroup ? #"{"name":"Stolen"}"# : nil
      #expect(try await server.call(operation, id, body: body).status == 404)
    }
  }

  @Test(
    "every wrong field is named",
    arguments: [
      ("{}", ["/key", "/name"]),
      (#"{"key":"A","name":"","extra":1}"#, ["/extra", "/key", "/name"]),
      (#"{"key":null,"name":1}"#, ["/key", "/name"]),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    let reply = try await server.call(.createMutexGroup, body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }

  @Test("an experiment names a group that exists, and keeps it while it runs")
  func naming() async throws {
    let (one, two) = (try await group(), try await group())
    let foreign = try await server.call(
      .createMutexGroup, as: .key(server.stranger.key),
      body: #"{"key":"\#(server.newName("group"))","name":"Foreign"}"#)
    for unknown in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", try #require(foreign.text("id"))] {
      let reply = try await server.call(
        .createExperiment,
        body: server.experimentBody(server.newName("x"), #""mutex_group_id":"\#(unknown)","#))
      #expect(reply.status == 422)
      #expect(reply.pointers == ["/mutex_group_id"])
    }
    func move(_ experiment: TestExperiment, _ value: String) async throws -> APIReply {
      try await server.call(
        .updateExperiment, experiment.id, body: #"{"mutex_group_id":\#(value)}"#)
    }
    let draft = try await server.draft(#""mutex_group_id":"\#(one)","#)
    #expect(
      try await server.call(.getExperiment, draft.id).text("mutex_group_id") == one)
    #expect(try await move(draft, "\"\(two)\"").text("mutex_group_id") == two)
    #expect(try await move(draft, "null").json["mutex_group_id"]?.isNull == true)
    #expect(try await move(draft, "\"\(one)\"").status == 200)
    _ = try await server.call(.startExperiment, draft.id)
    #expect(try await move(draft, "null").status == 409)
    let shown = try await server.call(.getMutexGroup, one)
    #expect(shown.json["experiment_count"]?.integer == 1)
    #expect(try await server.call(.deleteMutexGroup, one).status == 409)
    _ = try await server.call(.stopExperiment, draft.id, body: #"{"reason":"bug"}"#)
    #expect(try await server.call(.deleteMutexGroup, one).status == 409)
    #expect(try await server.call(.archiveExperiment, draft.id).status == 204)
    #expect(try await server.call(.deleteMutexGroup, one).status == 204)
  }

  @Test("the first to assign has the unit, as long as it runs")
  func holdout() async throws {
    let group = try await group()
    let (one, two) = (try await running(group), try await running(group))
    let first = try await server.assign("unit", to: one)
    #expect(first.text("reason") == "bucketed")
    for _ in 0..<3 {
      let held = try await server.assign("unit", to: two)
      #expect(held.status == 200)
      #expect(held.json["variant"]?.isNull == true)
      #expect(held.text("reason") == "mutex_holdout")
      #expect(held.json["assignment_id"] == nil)
    }
    #expect(try await server.assign("unit", to: one).body == first.body)
    #expect(try await server.assign("other", to: two).text("reason") == "bucketed")
    #expect(try claims(group) == ["other \(two.key)", "unit \(one.key)"])
    _ = try await server.call(.stopExperiment, one.id, body: #"{"reason":"lost"}"#)
    #expect(try await server.assign("unit", to: two).text("reason") == "bucketed")
    #expect(try claims(group) == ["other \(two.key)", "unit \(two.key)"])
  }

  @Test("environments do not hold out each other")
  func environments() async throws {
    let group = try await group()
    let (dev, production) = (
      try await running(group), try await running(group, in: server.tenant.production)
    )
    for experiment in [dev, production] {
      let reply = try await server.assign("unit", to: experiment, as: .tenant)
      #expect(reply.text("reason") == "bucketed")
    }
    #expect(try claims(group).count == 2)
  }

  @Test("a re-bucketed unit is free again")
  func rebucketed() async throws {
    let group = try await group()
    let (one, two) = (try await running(group), try await running(group))
    _ = try await server.assign("unit", to: one)
    #expect(try await server.call(.forceRebucket, one.id, "unit").status == 204)
    #expect(try claims(group) == [])
    #expect(try await server.assign("unit", to: two).text("reason") == "bucketed")
    #expect(try await server.assign("unit", to: one).text("reason") == "mutex_holdout")
  }

  @Test("in a batch one of the group has the unit: the one whose hash comes first")
  func batch() async throws {
    let group = try await group()
    let groupID = try #require(ULID(group))
    var experiments: [TestExperiment] = []
    for _ in 0..<3 { experiments.append(try await running(group)) }
    let free = try await server.running()
    var winners: Set<String> = []
    // Until each has won: by chance one has none of 300 units once in 10⁵² runs.
    for index in 0..<300 where index < 12 || winners.count < 3 {
      let unit = try UnitID.named("unit \(index)")
      let keys = (experiments + [free]).shuffled().map { "\"\($0.key)\"" }.joined(separator: ",")
      let reply = try await server.call(
        .assignBatch, as: .key(server.tenant.clientKey),
        body: #"{"experiments":[\#(keys)],"unit_id":"\#(unit.text)"}"#)
      let reasons = reply.json["assignments"]?.members.filter { $0.key != free.key }
      let bucketed = reasons?.filter { $0.value["reason"]?.string == "bucketed" }.map(\.key) ?? []
      let order = experiments.sorted { left, right in
        guard let left = ULID(left.id), let right = ULID(right.id) else { return false }
        return MutexGroup.claimOrder(group: groupID, experiment: left, unit: unit)
          < MutexGroup.claimOrder(group: groupID, experiment: right, unit: unit)
      }
      #expect(bucketed == [order[0].key])
      #expect(reasons?.filter { $0.value["reason"]?.string == "mutex_holdout" }.count == 2)
      #expect(reply.json["assignments"]?[member: free.key]?["reason"]?.string == "bucketed")
      winners.formUnion(bucketed)
    }
    #expect(winners.count == 3)
  }
}
