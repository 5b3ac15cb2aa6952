import Testing

@testable import SplitstreamServer

/// What an author notes beside the design, and that experiments begin and end by themselves when
/// they should.
@Suite struct ExperimentPlanTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func time(_ seconds: Int) -> String {
    ServerClock.processTime().adding(seconds: seconds).rfc3339
  }

  @Test("what is not given is empty, what is given is kept byte for byte")
  func given() async throws {
    let empty = try await server.call(.getExperiment, try await server.draft().id)
    #expect(empty.text("description") == "")
    #expect(empty.json["owner"]?.isNull == true)
    #expect(empty.json["tags"]?.elements.count == 0)
    #expect(empty.json["start_at"]?.isNull == true)
    #expect(empty.json["stop_at"]?.isNull == true)

    let experiment = try await server.draft(
      #""description":"Line\nbreak","owner":"Ünïcode","tags":["b","a","Ä b"],"#
        + #""start_at":"2999-01-01T02:00:00+02:00","stop_at":"2999-02-01T00:00:00.5Z","#)
    let full = try await server.call(.getExperiment, experiment.id)
    #expect(full.text("description") == "Line\nbreak")
    #expect(full.text("owner") == "Ünïcode")
    #expect(full.json["tags"]?.elements.compactMap(\.string) == ["b", "a", "Ä b"])
    #expect(full.text("start_at") == "2999-01-01T00:00:00.000000Z")
    #expect(full.text("stop_at") == "2999-02-01T00:00:00.500000Z")
    let cleared = try await server.call(
      .updateExperiment, experiment.id,
      body: #"{"owner":null,"tags":[],"start_at":null,"stop_at":null,"description":""}"#)
    #expect(cleared.status == 200)
    #expect(cleared.json["owner"]?.isNull == true)
    #expect(cleared.json["tags"]?.elements.count == 0)
    #expect(cleared.json["stop_at"]?.isNull == true)
  }

  @Test(
    "every wrong field is named",
    arguments: [
      (
        #""description":1,"owner":2,"tags":3,"start_at":4,"stop_at":5,"#,
        ["/description", "/owner", "/start_at", "/stop_at", "/tags"]
      ),
      (#""description":null,"tags":null,"owner":"","#, ["/description", "/owner", "/tags"]),
      (#""tags":["a",1,null],"#, ["/tags/1", "/tags/2"]),
      (#""tags":["a","","a"],"#, ["/tags/1", "/tags/2"]),
      (#""tags":["\#(String(repeating: "é", count: 33))"],"#, ["/tags/0"]),
      (#""tags":[\#((0..<21).map { "\"\($0)\"" }.joined(separator: ","))],"#, ["/tags"]),
      (#""start_at":"2026-02-30T00:00:00Z","stop_at":"tomorrow","#, ["/start_at", "/stop_at"]),
      (#""start_at":"2999-01-01T00:00:00Z","stop_at":"2999-01-01T00:00:00Z","#, ["/stop_at"]),
    ])
  func wrong(members: String, pointers: [String]) async throws {
    let reply = try await server.call(
      .createExperiment, body: server.experimentBody(server.newName("x"), members))
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }

  @Test("while it runs all of it may change but the time of the start")
  func running() async throws {
    let experiment = try await server.running()
    let changed = try await server.call(
      .updateExperiment, experiment.id,
      body: #"{"description":"D","owner":"O","tags":["t"],"stop_at":"2999-01-01T00:00:00Z"}"#)
    #expect(changed.status == 200)
    #expect(changed.text("owner") == "O")
    let frozen = try await server.call(
      .updateExperiment, experiment.id, body: #"{"start_at":"2998-01-01T00:00:00Z"}"#)
    #expect(frozen.status == 409)
  }

  @Test("lists are filtered by tag and owner, as bytes")
  func filters() async throws {
    let tag = server.newName("tag")
    let one = try await server.draft(#""tags":["\#(tag)","x"],"owner":"A \#(tag)","#)
    let two = try await server.draft(#""tags":["\#(tag)"],"owner":"b \#(tag)","#)
    _ = try await server.draft(#""tags":["\#(tag)-more"],"#)
    func ids(_ query: String, as credential: TestCredential = .tenant) async throws -> [String] {
      let reply = try await server.call(.listExperiments, query: query, as: credential)
      return reply.json["data"]?.elements.compactMap { $0["id"]?.string } ?? []
    }
    #expect(try await ids("tag=\(tag)") == [two.id, one.id])
    #expect(try await ids("tag=\(tag)&owner=A%20\(tag)") == [one.id])
    #expect(try await ids("owner=b+\(tag)") == [two.id])
    #expect(try await ids("owner=B+\(tag)") == [])
    #expect(try await ids("tag=\(tag)&status=running") == [])
    #expect(try await ids("tag=\(tag)&limit=1") == [two.id])
    #expect(try await ids("tag=\(tag)", as: .key(server.stranger.key)) == [])
  }

  /// The status once the schedule has made it another than `status`.
  private func next(after status: String, _ id: String) async throws -> APIReply {
    var reply = try await server.call(.getExperiment, id)
    for _ in 0..<100_000 where reply.text("status") == status {
      reply = try await server.call(.getExperiment, id)
    }
    return reply
  }

  @Test("it begins and ends at its times, by the server itself, and assigns in between")
  func schedule() async throws {
    let experiment = try await server.draft(#""start_at":"\#(time(-60))","#)
    let started = try await next(after: "draft", experiment.id)
    #expect(started.text("status") == "running")
    #expect(started.text("started_at") != nil)
    var assigned = try await server.assign("unit", to: experiment)
    for _ in 0..<10_000 where assigned.status == 404 {
      assigned = try await server.assign("unit", to: experiment)
    }
    #expect(assigned.status == 200)
    try await server.call(
      .updateExperiment, experiment.id, body: #"{"stop_at":"\#(time(-1))"}"#)
    let stopped = try await next(after: "running", experiment.id)
    #expect(stopped.text("status") == "stopped")
    #expect(stopped.text("stop_reason") == "business")
    #expect(stopped.text("outcome_notes") == "Stopped at its planned time.")
    let audit = try await server.call(.listAudit, query: "target_id=\(experiment.id)")
    let lines = try #require(audit.json["data"]).elements.map { line in
      "\(line["action"]?.string ?? "") \(line["actor_id"]?.isNull == true)"
    }
    #expect(
      lines == [
        "experiment.stopped true", "experiment.updated false", "experiment.started true",
        "experiment.created false",
      ])
  }

  @Test("what is not due is left alone, and of several processes one does what is")
  func due() async throws {
    let stores = try TestStores.make()
    let server = try RunningServer(stores)
    let later = try await server.draft(#""start_at":"\#(time(3600))","#)
    let draft = try await server.draft()
    let running = try await server.running()
    let lasting = try await server.running()
    try await server.call(
      .updateExperiment, lasting.id, body: #"{"stop_at":"\#(time(3600))"}"#)
    let starting = try await concurrently(5) { _ in
      try await server.draft(#""start_at":"2999-01-01T00:00:00Z","#).id
    }
    let stopping = try await server.running()
    try await server.call(
      .updateExperiment, stopping.id, body: #"{"stop_at":"2999-01-01T00:00:00Z"}"#)
    server.stop()
    _ = try stores.texts(
      "UPDATE experiments SET start_at = now() WHERE start_at > now() + interval '1 day' RETURNING key"
    )
    _ = try stores.texts(
      "UPDATE experiments SET stop_at = now() WHERE stop_at > now() + interval '1 day' RETURNING key"
    )
    let steps = try await concurrently(4) { _ in
      let session = try stores.session()
      defer { session.close() }
      var ids = ULIDGenerator(refill: IDSource.randomWords)
      return try ExperimentSchedule(session: session).run {
        ids.make(at: ServerClock.processTime())
      }
    }.joined()
    func done(_ action: String) -> [String] {
      steps.filter { $0.action == action }.map(\.experiment.text).sorted()
    }
    #expect(done("experiment.started") == starting.sorted())
    #expect(done("experiment.stopped") == [stopping.id])
    let drafts = try stores.texts("SELECT key FROM experiments WHERE status = 'draft' ORDER BY id")
    #expect(drafts == [later.key, draft.key])
    let left = try stores.texts(
      "SELECT key FROM experiments WHERE id IN ($1, $2) AND status = 'running' ORDER BY id",
      .id(ULID(running.id)), .id(ULID(lasting.id)))
    #expect(left == [running.key, lasting.key])
  }

  @Test("who fails at it lets another do it")
  func failing() async throws {
    let stores = try TestStores.make()
    let server = try RunningServer(stores)
    let draft = try await server.draft(#""start_at":"2999-01-01T00:00:00Z","#)
    server.stop()
    _ = try stores.texts("UPDATE experiments SET start_at = now() RETURNING key")
    let (failing, other) = (try stores.session(), try stores.session())
    defer {
      failing.close()
      other.close()
    }
    var ids = ULIDGenerator(refill: IDSource.randomWords)
    func run(_ session: PostgresSession) throws(PostgresError) -> [ExperimentSchedule.Step] {
      try ExperimentSchedule(session: session).run { ids.make(at: ServerClock.processTime()) }
    }
    _ = try stores.texts("ALTER TABLE variants RENAME TO hidden")
    #expect(throws: PostgresError.self) { try run(failing) }
    _ = try stores.texts("ALTER TABLE hidden RENAME TO variants")
    #expect(try run(other).map(\.experiment.text) == [draft.id])
  }
}
