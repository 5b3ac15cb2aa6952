import Testing

@testable import SplitstreamServer

/// Weights changed while running: a new epoch for new units, and nobody who is stored changes
/// sides.
@Suite struct WeightEpochTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func reweight(_ experiment: TestExperiment, _ control: Int, _ treatment: Int) async throws
    -> APIReply
  {
    try await server.call(
      .updateExperiment, experiment.id,
      body:
        #"{"variants":[{"key":"control","weight":\#(control)},{"key":"treatment","weight":\#(treatment)}]}"#
    )
  }

  private func epochs(_ experiment: TestExperiment) throws -> [String] {
    try server.stores.texts(
      "SELECT epoch::text FROM weight_epochs WHERE experiment_id = $1 ORDER BY epoch",
      .id(ULID(experiment.id)))
  }

  @Test("stored units keep their variant, new ones follow the new weights")
  func reweighted() async throws {
    let experiment = try await server.running()
    var before: [String: String] = [:]
    for unit in 0..<40 {
      before["u\(unit)"] = try await server.assign("u\(unit)", to: experiment).text("variant")
    }
    #expect(Set(before.values) == ["control", "treatment"])

    #expect(try await reweight(experiment, 0, 100).status == 200)
    #expect(try epochs(experiment) == ["1", "2"])
    for (unit, variant) in before {
      #expect(try await server.assign(unit, to: experiment).text("variant") == variant)
    }
    for unit in 0..<40 {
      #expect(try await server.assign("new\(unit)", to: experiment).text("variant") == "treatment")
    }
    let stored = try server.stores.texts(
      "SELECT epoch || ' ' || count(*) FROM assignments WHERE experiment_id = $1 GROUP BY epoch ORDER BY epoch",
      .id(ULID(experiment.id)))
    #expect(stored == ["1 40", "2 40"])
    #expect(
      try await server.snapshot(of: experiment).json["weights_changed_since_start"]?.bool == true)
  }

  @Test("equal weights make no epoch, whatever else changes")
  func equal() async throws {
    let experiment = try await server.running()
    #expect(try await reweight(experiment, 50, 50).status == 200)
    let body = #"""
      {"variants":[{"key":"treatment","weight":50,"description":"New words"},
      {"key":"control","weight":50,"is_control":true}]}
      """#
    #expect(try await server.call(.updateExperiment, experiment.id, body: body).status == 200)
    #expect(try epochs(experiment) == ["1"])
    #expect(
      try await server.snapshot(of: experiment).json["weights_changed_since_start"]?.bool == false)
  }

  @Test("a draft has no epochs, however often it is weighted")
  func draft() async throws {
    let experiment = try await server.draft()
    #expect(try await reweight(experiment, 20, 80).status == 200)
    #expect(try epochs(experiment) == [])
    #expect(try await server.call(.startExperiment, experiment.id).status == 200)
    #expect(try epochs(experiment) == ["1"])
    #expect(
      try await server.snapshot(of: experiment).json["weights_changed_since_start"]?.bool == false)
  }

  @Test("weights that change at once make one epoch after the other")
  func concurrent() async throws {
    let experiment = try await server.running()
    let statuses = try await concurrently(6) { try await reweight(experiment, $0, 100 - $0).status }
    #expect(statuses == Array(repeating: 200, count: 6))
    #expect(try epochs(experiment) == ["1", "2", "3", "4", "5", "6", "7"])
  }
}
