import Testing

@testable import SplitstreamServer

/// An experiment that a test has made.
struct TestExperiment: Sendable {
  let id: String
  let key: String
}

// What most tests begin with.
extension RunningServer {
  static let halves = #"[{"key":"control","weight":50},{"key":"treatment","weight":50}]"#

  /// The body of an experiment; `members` end with a comma each.
  func experimentBody(
    _ key: String, in environment: String? = nil, variants: String = halves, _ members: String = ""
  ) -> String {
    """
    {\(members)"environment_id":"\(environment ?? tenant.dev)","key":"\(key)","name":"Name of \(key)",\
    "hypothesis":"It helps","unit_type":"user","variants":\(variants)}
    """
  }

  /// A draft with a key of its own.
  func draft(
    in environment: String? = nil, variants: String = halves, _ members: String = "",
    as credential: TestCredential = .tenant
  ) async throws -> TestExperiment {
    let key = newName("experiment")
    let body = experimentBody(key, in: environment, variants: variants, members)
    let reply = try await call(.createExperiment, as: credential, body: body)
    return TestExperiment(id: try #require(reply.text("id")), key: key)
  }

  func running(
    in environment: String? = nil, variants: String = halves, _ members: String = "",
    as credential: TestCredential = .tenant
  ) async throws -> TestExperiment {
    let experiment = try await draft(in: environment, variants: variants, members, as: credential)
    let reply = try await call(.startExperiment, experiment.id, as: credential)
    #expect(reply.status == 200)
    return experiment
  }

  /// A binary metric on events named like it; its id and its key.
  func metric() async throws -> (id: String, eventKey: String) {
    let key = newName("metric")
    let reply = try await call(
      .createMetric, body: #"{"key":"\#(key)","name":"M","event_key":"\#(key)","kind":"binary"}"#)
    return (try #require(reply.text("id")), key)
  }

  @discardableResult
  func assign(
    _ unit: String, to experiment: TestExperiment, _ members: String = "",
    as credential: TestCredential? = nil
  ) async throws -> APIReply {
    try await call(
      .assign, as: credential ?? .key(tenant.clientKey),
      body: #"{\#(members)"experiment_key":"\#(experiment.key)","unit_id":"\#(unit)"}"#)
  }

  /// Returns when all events accepted so far in the environment of `experiment` are in PostgreSQL.
  @discardableResult
  func snapshot(of experiment: TestExperiment) async throws -> APIReply {
    var reply = try await call(.computeSnapshot, experiment.id)
    // A store was late; the drain comes before the analysis, so that no snapshot was made.
    for _ in 0..<20 where reply.status == 503 {
      try await Task.sleep(for: .seconds(1))
      reply = try await call(.computeSnapshot, experiment.id)
    }
    #expect(reply.status == 201)
    return reply
  }
}
