import Testing

@testable import SplitstreamServer

/// Every operation, called by everybody who should not get through and by those who should: one
/// table says what they get.
///
/// An operation that is not in the table fails the suite, so that none comes without its walls.
@Suite struct TenancyMatrixTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  /// Whose the thing is that the path names.
  enum Target {
    case none, experiment, environment, metric, key, group, segment, unit
  }

  /// What a call without a fault would be, and what a key of another environment or workspace gets
  /// for it.
  struct Rule {
    var target = Target.none
    /// The body of a call that is only refused for who makes it; `$ID` stands for the target.
    var body: String?
    var otherEnvironment: Int
    var otherWorkspace: Int
  }

  /// Lists answer 200 with what the caller may see; nothing of others' is in them.
  private static let rules: [Operation: Rule] = [
    .getCurrentWorkspace: Rule(otherEnvironment: 200, otherWorkspace: 200),
    .listEnvironments: Rule(otherEnvironment: 200, otherWorkspace: 200),
    .createEnvironment: Rule(body: "{}", otherEnvironment: 403, otherWorkspace: 422),
    .getEnvironment: Rule(target: .environment, otherEnvironment: 404, otherWorkspace: 404),
    .updateEnvironment: Rule(
      target: .environment, body: #"{"name":"Taken"}"#, otherEnvironment: 404, otherWorkspace: 404),
    .deleteEnvironment: Rule(target: .environment, otherEnvironment: 404, otherWorkspace: 404),
    .listMetrics: Rule(otherEnvironment: 200, otherWorkspace: 200),
    .createMetric: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    // Metrics are the workspace's: every server key of it reads and writes them.
    .getMetric: Rule(target: .metric, otherEnvironment: 200, otherWorkspace: 404),
    .updateMetric: Rule(
      target: .metric, body: #"{"name":"M"}"#, otherEnvironment: 200, otherWorkspace: 404),
    .deleteMetric: Rule(target: .metric, otherEnvironment: 409, otherWorkspace: 404),
    .listExperiments: Rule(otherEnvironment: 200, otherWorkspace: 200),
    .createExperiment: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .getExperiment: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    .updateExperiment: Rule(
      target: .experiment, body: #"{"name":"Taken"}"#, otherEnvironment: 404, otherWorkspace: 404),
    .archiveExperiment: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    .startExperiment: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    .stopExperiment: Rule(
      target: .experiment, body: #"{"reason":"won"}"#, otherEnvironment: 404, otherWorkspace: 404),
    .computeSnapshot: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    .getResults: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    .getResultsHistory: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    .pauseExperiment: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    .resumeExperiment: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    .listAssignments: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    .putOverride: Rule(
      target: .experiment, body: #"{"variant":"control"}"#, otherEnvironment: 404,
      otherWorkspace: 404),
    .deleteOverride: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    // Mutex groups are the workspace's, like metrics.
    .listMutexGroups: Rule(otherEnvironment: 200, otherWorkspace: 200),
    .createMutexGroup: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .getMutexGroup: Rule(target: .group, otherEnvironment: 200, otherWorkspace: 404),
    .updateMutexGroup: Rule(
      target: .group, body: #"{"name":"G"}"#, otherEnvironment: 200, otherWorkspace: 404),
    .deleteMutexGroup: Rule(target: .group, otherEnvironment: 409, otherWorkspace: 404),
    // And so are segments.
    .listSegments: Rule(otherEnvironment: 200, otherWorkspace: 200),
    .createSegment: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .getSegment: Rule(target: .segment, otherEnvironment: 200, otherWorkspace: 404),
    .updateSegment: Rule(
      target: .segment, body: #"{"name":"S"}"#, otherEnvironment: 200, otherWorkspace: 404),
    .deleteSegment: Rule(target: .segment, otherEnvironment: 409, otherWorkspace: 404),
    .assignBatch: Rule(
      body: #"{"experiments":["$KEY"],"unit_id":"u"}"#, otherEnvironment: 200, otherWorkspace: 200),
    .previewAssignment: Rule(
      body: #"{"experiment_key":"$KEY","unit_id":"u"}"#, otherEnvironment: 404, otherWorkspace: 404),
    .getAssignmentsForUnit: Rule(target: .unit, otherEnvironment: 200, otherWorkspace: 200),
    .forceRebucket: Rule(target: .experiment, otherEnvironment: 404, otherWorkspace: 404),
    // The walls are the environment's: a unit of another one stays.
    .eraseUnit: Rule(target: .unit, otherEnvironment: 202, otherWorkspace: 202),
    .assign: Rule(
      body: #"{"experiment_key":"$KEY","unit_id":"u"}"#, otherEnvironment: 404, otherWorkspace: 404),
    .logExposure: Rule(
      body: #"{"experiment_key":"$KEY","unit_id":"u","variant":"control"}"#, otherEnvironment: 404,
      otherWorkspace: 404),
    .logExposureBatch: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .trackEvent: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .trackEventBatch: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .calculateSampleSize: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .calculatePower: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .calculateEffect: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .calculateDuration: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .calculateSampleRatio: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .calculateSignificance: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .listApiKeys: Rule(otherEnvironment: 200, otherWorkspace: 200),
    .createApiKey: Rule(body: "{}", otherEnvironment: 422, otherWorkspace: 422),
    .revokeApiKey: Rule(target: .key, otherEnvironment: 404, otherWorkspace: 404),
    .rotateApiKey: Rule(target: .key, otherEnvironment: 404, otherWorkspace: 404),
    .listAudit: Rule(otherEnvironment: 200, otherWorkspace: 200),
  ]

  /// A running experiment in `production` with its metric, and a key of `production`.
  private struct Property {
    let experiment: TestExperiment
    let metric: String
    let key: String
    let environment: String
    let group: String
    let segment: String

    func id(_ target: Target) -> String {
      switch target {
      case .none: ""
      case .experiment: experiment.id
      case .environment: environment
      case .metric: metric
      case .key: key
      case .group: group
      case .segment: segment
      case .unit: "unit-of-the-matrix"
      }
    }
  }

  private func property() async throws -> Property {
    let metric = try await server.metric().id
    let made = try await server.call(
      .createMutexGroup, body: #"{"key":"\#(server.newName("group"))","name":"Group"}"#)
    let group = try #require(made.text("id"))
    let segmentKey = server.newName("segment")
    let audience = #"{"attribute":"plan","op":"exists"}"#
    let named = try await server.call(
      .createSegment, body: #"{"key":"\#(segmentKey)","name":"Segment","audience":\#(audience)}"#)
    let segment = try #require(named.text("id"))
    // Who says nothing is outside of the segment, so in the audience.
    let outside = #"{"operator":"not","operands":[{"segment":"\#(segmentKey)"}]}"#
    let experiment = try await server.running(
      in: server.tenant.production,
      #""primary_metric_id":"\#(metric)","mutex_group_id":"\#(group)","audience":\#(outside),"#)
    let body =
      #"{"name":"Property","kind":"server","environment_id":"\#(server.tenant.production)"}"#
    let key = try await server.call(.createApiKey, body: body)
    return Property(
      experiment: experiment, metric: metric, key: try #require(key.text("id")),
      environment: server.tenant.production, group: group, segment: segment)
  }

  private func revokedKey() async throws -> String {
    let issued = try await server.call(.createApiKey, body: #"{"name":"R","kind":"server"}"#)
    try await server.call(.revokeApiKey, try #require(issued.text("id")))
    return try #require(issued.text("key"))
  }

  @Test("every operation that needs a key has its row")
  func complete() {
    let keyed = Operation.allCases.filter { $0.access != .open }
    #expect(Set(keyed) == Set(Self.rules.keys))
  }

  @Test("who may not call is refused, and learns nothing", arguments: Array(rules.keys))
  func walls(operation: Operation) async throws {
    let rule = try #require(Self.rules[operation])
    let property = try await property()
    let body = rule.body?.replacing("$KEY", with: property.experiment.key)
    let key = server.tenant.key
    let isSDK = operation.access == .sdk
    let row: [(who: String, credential: TestCredential, status: Int)] = [
      ("no key", .none, 401),
      ("malformed", .key("ss_srv_all"), 401),
      ("unknown", .key(String(key.dropLast(6)) + "AAAAAA"), 401),
      ("revoked", .key(try await revokedKey()), 401),
      ("client key", .key(server.tenant.clientKey), isSDK ? rule.otherEnvironment : 403),
      ("other environment", .key(server.tenant.boundKey), rule.otherEnvironment),
      ("other workspace", .key(server.stranger.key), rule.otherWorkspace),
      ("other workspace, bound", .key(server.stranger.boundKey), strangerBound(operation, rule)),
    ]
    for (who, credential, status) in row {
      let reply = try await server.call(
        operation, property.id(rule.target), as: credential, body: body)
      #expect(reply.status == status, "\(operation) by \(who)")
      for id in [property.experiment.id, property.key] where who != "other environment" {
        #expect(!String(decoding: reply.body, as: UTF8.self).contains("\"\(id)\""), "\(who)")
      }
      if status == 401 { #expect(reply.header("WWW-Authenticate") == "Bearer") }
    }
    // Nothing of it has happened.
    let left = try await server.call(.getExperiment, property.experiment.id)
    #expect(left.text("status") == "running")
    #expect(left.text("name") == "Name of \(property.experiment.key)")
    let keys = try await server.call(.listApiKeys, query: "limit=200")
    #expect(keys.json["data"]?.elements.contains { $0["id"]?.string == property.key } == true)
  }

  /// A bound key may create no environments at all; for the rest it is a stranger like the other.
  private func strangerBound(_ operation: Operation, _ rule: Rule) -> Int {
    switch operation {
    case .createEnvironment: 403
    default: rule.otherWorkspace
    }
  }
}
