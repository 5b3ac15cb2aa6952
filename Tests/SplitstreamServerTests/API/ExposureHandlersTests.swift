import Testing

@testable import SplitstreamServer

/// Exposures: 202 means that PostgreSQL has it, once.
@Suite struct ExposureHandlersTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private func body(_ experiment: TestExperiment, _ unit: String, _ variant: String) -> String {
    #"{"experiment_key":"\#(experiment.key)","unit_id":"\#(unit)","variant":"\#(variant)"}"#
  }

  private func log(_ experiment: TestExperiment, _ unit: String, _ variant: String) async throws
    -> APIReply
  {
    try await server.call(
      .logExposure, as: .key(server.tenant.clientKey), body: body(experiment, unit, variant))
  }

  private func exposures(_ experiment: TestExperiment) throws -> [String] {
    try server.stores.texts(
      """
      SELECT x.unit_id || ' ' || v.key FROM exposure_events x JOIN variants v ON v.id = x.variant_id
      WHERE x.experiment_id = $1 ORDER BY 1
      """, .id(ULID(experiment.id)))
  }

  @Test("an assigned unit's exposure is logged once, and its assignment says so")
  func managed() async throws {
    let experiment = try await server.running()
    let assigned = try await server.assign("unit", to: experiment, #""log_exposure":false,"#)
    let variant = try #require(assigned.text("variant"))
    for _ in 0..<3 { #expect(try await log(experiment, "unit", variant).status == 202) }
    #expect(try exposures(experiment) == ["unit \(variant)"])
    let after = try await server.assign("unit", to: experiment)
    let time = try #require(after.text("exposure_logged_at"))
    #expect(after.text("assignment_id") == assigned.text("assignment_id"))
    for _ in 0..<4 {
      #expect(try await log(experiment, "unit", variant).status == 202)
      #expect(try await server.assign("unit", to: experiment).text("exposure_logged_at") == time)
    }
  }

  @Test("an exposure must agree with the assignment")
  func disagreeing() async throws {
    let experiment = try await server.running()
    #expect(try await log(experiment, "nobody", "control").status == 409)
    let variant = try await server.assign("unit", to: experiment).text("variant")
    let other = variant == "control" ? "treatment" : "control"
    #expect(try await log(experiment, "unit", other).status == 409)
    #expect(try exposures(experiment).count == 1)
  }

  @Test(
    "where somebody else buckets, the first exposure is the assignment, and a second variant is kept"
  )
  func external() async throws {
    let experiment = try await server.running(#""assignment_mode":"external","#)
    #expect(try await log(experiment, "unit", "treatment").status == 202)
    #expect(try await log(experiment, "unit", "treatment").status == 202)
    #expect(try await log(experiment, "unit", "control").status == 202)
    #expect(try exposures(experiment) == ["unit control", "unit treatment"])
    #expect(try await server.assign("unit", to: experiment).text("variant") == "treatment")
    let snapshot = try await server.snapshot(of: experiment)
    #expect(snapshot.json["multi_variant_units"]?.integer == 1)
    #expect(
      snapshot.json["per_variant"]?.elements.compactMap { $0["sample_size"]?.integer } == [0, 1])
  }

  @Test("first exposures at once make one assignment")
  func concurrent() async throws {
    let experiment = try await server.running(#""assignment_mode":"external","#)
    let replies = try await concurrently(24) { index in
      try await log(experiment, "unit \(index % 3)", index % 2 == 0 ? "control" : "treatment")
        .status
    }
    #expect(Set(replies) == [202])
    #expect(try exposures(experiment).count == 6)
    let assignments = try server.stores.texts(
      "SELECT unit_id FROM assignments WHERE experiment_id = $1", .id(ULID(experiment.id)))
    #expect(assignments.count == 3)
  }

  @Test("what is unknown or does not run")
  func unknown() async throws {
    let experiment = try await server.running()
    let reply = try await log(experiment, "unit", "purple")
    #expect(reply.status == 422)
    #expect(reply.pointers == ["/variant"])
    #expect(try await log(TestExperiment(id: "", key: "unknown"), "unit", "control").status == 404)
    let draft = try await server.draft()
    #expect(try await log(draft, "unit", "control").status == 404)
  }

  @Test(
    "every wrong field is named, and what nobody knows is ignored",
    arguments: [
      (#"{"sdk":1}"#, ["/experiment_key", "/unit_id", "/variant"]),
      (
        #"{"experiment_key":1,"unit_id":2,"variant":3}"#,
        ["/experiment_key", "/unit_id", "/variant"]
      ),
      (
        #"{"experiment_key":null,"unit_id":"","variant":null}"#,
        ["/experiment_key", "/unit_id", "/variant"]
      ),
    ])
  func wrong(body: String, pointers: [String]) async throws {
    let reply = try await server.call(.logExposure, body: body)
    #expect(reply.status == 422)
    #expect(reply.pointers == pointers)
  }

  @Test("a batch is judged one by one, and what is good is stored")
  func batch() async throws {
    let external = try await server.running(#""assignment_mode":"external","#)
    let managed = try await server.running()
    let variant = try #require(try await server.assign("known", to: managed).text("variant"))
    let items = [
      body(external, "a", "control"), body(external, "a", "control"),
      body(managed, "known", variant),
      body(managed, "unknown", "control"), body(external, "b", "purple"), #"{"unit_id":7}"#, "7",
      body(TestExperiment(id: "", key: "unknown"), "a", "control"),
      body(external, "c", "treatment"),
      body(managed, "known", variant == "control" ? "treatment" : "control"),
    ]
    let reply = try await server.call(
      .logExposureBatch, body: #"{"exposures":[\#(items.joined(separator: ","))]}"#,
      hasWrongItems: true)
    #expect(reply.status == 202)
    #expect(reply.json["accepted_count"]?.integer == 4)
    let rejected = try #require(reply.json["rejected"]?.elements)
    #expect(rejected.compactMap { $0["index"]?.integer } == [3, 4, 5, 6, 7, 9])
    #expect(rejected.allSatisfy { $0["reason"]?.string?.isEmpty == false })
    #expect(Array(rejected)[1]["reason"]?.string?.hasPrefix("/exposures/4/variant ") == true)
    #expect(try exposures(external) == ["a control", "c treatment"])
    #expect(try exposures(managed).count == 1)
  }

  @Test("an environment that is nobody's refuses a batch as a whole")
  func batchInUnknownEnvironment() async throws {
    let experiment = try await server.running(#""assignment_mode":"external","#)
    let batch = #"{"exposures":[\#(body(experiment, "a", "control"))]}"#
    let reply = try await server.call(
      .logExposureBatch, body: batch, headers: ["Splitstream-Environment: nowhere"])
    #expect(reply.status == 404)
    #expect(try exposures(experiment).isEmpty)
  }

  @Test("a batch holds 1 to 500, of any length that is allowed")
  func batchLimits() async throws {
    let experiment = try await server.running(#""assignment_mode":"external","#)
    func batch(_ count: Int) async throws -> APIReply {
      // With escapes six bytes long a batch of the longest units has 800 kB; with a long key more
      // than a usual body.
      let units = (0..<count).map { index in
        #"{"sdk":"\#(String(repeating: "x", count: 2500))",\#(body(experiment, "unit \(index)", "control").dropFirst())"#
      }
      return try await server.call(
        .logExposureBatch, body: #"{"exposures":[\#(units.joined(separator: ","))]}"#)
    }
    let largest = try await batch(500)
    #expect(largest.json["accepted_count"]?.integer == 500)
    #expect(try exposures(experiment).count == 500)
    for reply in [try await batch(0), try await batch(501)] {
      #expect(reply.status == 422)
      #expect(reply.pointers == ["/exposures"])
    }
    for body in ["{}", #"{"exposures":{}}"#, #"{"exposures":null}"#] {
      #expect(try await server.call(.logExposureBatch, body: body).pointers == ["/exposures"])
    }
  }
}
