import Testing

@testable import SplitstreamServer

/// Any number of server processes share one PostgreSQL and one Redis: callers cannot tell which one
/// they ask.
@Suite struct TwoServersTests {
  let one: RunningServer
  let other: RunningServer

  init() throws {
    one = try RunningServer()
    other = try RunningServer(one.stores)
  }

  private func server(_ index: Int) -> RunningServer { index % 2 == 0 ? one : other }

  @Test("first calls on both get one answer, and each hears of what the other has changed")
  func shared() async throws {
    defer {
      one.stop()
      other.stop()
    }
    let key = TestCredential.key(one.tenant.clientKey)
    let experiment = try await one.running()
    try await everywhere("the other knows the experiment") {
      try await other.assign("first", to: experiment, as: key).status == 200
    }
    let assigned = try await concurrently(48) { index in
      try await server(index).assign("unit \(index / 16)", to: experiment, as: key).body
    }
    #expect(Set(assigned).count == 3)
    let exposed = try one.stores.texts(
      "SELECT count(*)::text FROM exposure_events WHERE experiment_id = $1",
      .id(ULID(experiment.id)))
    #expect(exposed == ["4"])

    let event = #"{"event_key":"e","unit_id":"unit 0","client_event_id":"once"}"#
    let replays = try await concurrently(8) { index in
      try await server(index).call(.trackEvent, as: key, body: event).json["idempotent_replay"]?
        .bool
    }
    #expect(replays.count { $0 == false } == 1)
    let snapshot = try await other.call(
      .computeSnapshot, experiment.id, as: .key(one.tenant.key))
    #expect(snapshot.status == 201)
    #expect(try one.stores.texts("SELECT client_event_id FROM events") == ["once"])
    #expect(try await one.call(.getResults, experiment.id).body == snapshot.body)

    let stop = #"{"reason":"bug"}"#
    #expect(
      try await other.call(.stopExperiment, experiment.id, as: .key(one.tenant.key), body: stop)
        .status == 200)
    try await eventually("the stop is heard") {
      try await one.assign("unit 0", to: experiment).status == 404
    }
  }
}
