import Testing

@testable import SplitstreamServer

/// draft → running → stopped → archived, each step once.
@Suite struct ExperimentLifecycleTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private static let stop = #"{"reason":"inconclusive"}"#

  private func status(_ experiment: TestExperiment) async throws -> String? {
    try await server.call(.getExperiment, experiment.id).text("status")
  }

  /// An experiment that has come as far as `state`.
  private func make(_ state: Experiment.Status) async throws -> TestExperiment {
    let experiment = try await state == .draft ? server.draft() : server.running()
    if state == .stopped || state == .archived {
      #expect(try await server.call(.stopExperiment, experiment.id, body: Self.stop).status == 200)
    }
    if state == .archived {
      #expect(try await server.call(.archiveExperiment, experiment.id).status == 204)
    }
    return experiment
  }

  @Test("a whole life, with its times and its reason")
  func life() async throws {
    let experiment = try await server.draft()
    let started = try await server.call(.startExperiment, experiment.id)
    #expect(started.text("status") == "running")
    #expect(started.text("started_at") != nil)
    #expect(started.json["stopped_at"]?.isNull == true)
    #expect(started.json["stop_reason"] == nil)

    let stopped = try await server.call(
      .stopExperiment, experiment.id, body: #"{"reason":"won","outcome_notes":"Shipped."}"#)
    #expect(stopped.text("status") == "stopped")
    #expect(stopped.text("stop_reason") == "won")
    #expect(stopped.text("outcome_notes") == "Shipped.")
    #expect(stopped.text("started_at") == started.text("started_at"))
    let (begin, end) = (
      try #require(started.text("started_at")), try #require(stopped.text("stopped_at"))
    )
    #expect(begin < end)

    #expect(try await server.call(.archiveExperiment, experiment.id).status == 204)
    let archived = try await server.call(.getExperiment, experiment.id)
    #expect(archived.text("status") == "archived")
    #expect(archived.text("stop_reason") == "won")
    #expect(archived.header("ETag") == "\"4\"")
  }

  @Test(
    "start is for drafts, stop for what runs, and archived is final",
    arguments: Experiment.Status.allCases)
  func transitions(state: Experiment.Status) async throws {
    let experiment = try await make(state)
    let start = try await server.call(.startExperiment, experiment.id).status
    #expect(start == (state == .draft ? 200 : 409))
    let other = try await make(state)
    let stop = try await server.call(.stopExperiment, other.id, body: Self.stop).status
    #expect(stop == (state == .running ? 200 : 409))
    let third = try await make(state)
    let archive = try await server.call(.archiveExperiment, third.id).status
    #expect(archive == (state == .draft || state == .stopped ? 204 : 409))
    #expect(try await status(third) == (archive == 204 ? "archived" : state.rawValue))
  }

  @Test("of many who start, stop or archive it at once, one succeeds")
  func concurrent() async throws {
    let experiment = try await server.draft()
    func race(_ operation: Operation, body: String? = nil) async throws -> [Int] {
      try await concurrently(8) { _ in
        try await server.call(operation, experiment.id, body: body).status
      }.sorted()
    }
    #expect(try await race(.startExperiment) == [200] + Array(repeating: 409, count: 7))
    #expect(
      try await race(.stopExperiment, body: Self.stop) == [200] + Array(repeating: 409, count: 7))
    #expect(try await race(.archiveExperiment) == [204] + Array(repeating: 409, count: 7))
    let actions = try await server.call(.listAudit, query: "target_id=\(experiment.id)")
    #expect(
      actions.json["data"]?.elements.compactMap { $0["action"]?.string } == [
        "experiment.archived", "experiment.stopped", "experiment.started", "experiment.created",
      ])
  }

  @Test("a stopped experiment assigns no more, at once and on every loop")
  func stopEndsAssigning() async throws {
    let experiment = try await server.running()
    #expect(try await server.assign("u", to: experiment).status == 200)
    try await server.call(.stopExperiment, experiment.id, body: Self.stop)
    for _ in 0..<10 { #expect(try await server.assign("u", to: experiment).status == 404) }
  }

  @Test(
    "a stop needs its reason",
    arguments: [
      (#"{}"#, ["/reason"]),
      (#"{"reason":null}"#, ["/reason"]),
      (#"{"reason":"bored","outcome_notes":1,"why":2}"#, ["/outcome_notes", "/reason", "/why"]),
      (
        #"{"reason":"won","outcome_notes":"\#(String(repeating: "x", count: 10_001))"}"#,
        ["/outcome_notes"]
      ),
    ])
  func wrongStop(body: String, pointers: [String]) async throws {
    let experiment = try await server.running()
    let reply = try await server.call(.stopExperiment, experiment.id, body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
    #expect(try await server.call(.stopExperiment, experiment.id, body: "").status == 400)
    #expect(try await status(experiment) == "running")
  }
}
