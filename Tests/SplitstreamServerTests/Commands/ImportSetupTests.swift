import Synchronization
import Testing

@testable import SplitstreamServer

/// What an import finds or makes on a server, and every way in which the server's state may not
/// fit. The peer answers each path with a given text; whether the real server speaks like this, the
/// tests of the API show.
@Suite struct ImportSetupTests {
  private static let environment = ImportSetup.Environment(id: "E1", slug: "dev")

  private static func experiment(
    status: String = "running", mode: String = "external", variants: String? = nil,
    primary: String = "M1", guardrails: String = "[\"M2\"]", environment: String = "E1"
  ) -> String {
    let pair = #"[{"key":"b","weight":50},{"key":"a","weight":50,"is_control":true}]"#
    return
      #"{"id":"X1","key":"shop","environment_id":"\#(environment)","status":"\#(status)","#
      + #""assignment_mode":"\#(mode)","variants":\#(variants ?? pair),"#
      + #""primary_metric_id":"\#(primary)","guardrail_metric_ids":\#(guardrails)}"#
  }

  private static func page(_ entries: String..., next: String? = nil) -> String {
    #"{"data":[\#(entries.joined(separator: ","))],"next_cursor":\#(next.map { "\"\($0)\"" } ?? "null")}"#
  }

  private static func metric(_ id: String, _ column: String, _ more: String = "\"kind\":\"binary\"")
    -> String
  {
    #"{"id":"\#(id)","key":"shop.\#(column)","event_key":"shop.\#(column)","property_path":null,\#(more)}"#
  }

  private static let metrics = page(metric("M2", "returned"), metric("M1", "bought"))
  private static let listMetrics = "GET /v1/metrics?limit=200"
  private static let listExperiments = "GET /v1/experiments?limit=200"
  private static let listArchived = "GET /v1/experiments?limit=200&status=archived"

  private struct Outcome {
    let result: Result<String, ImportError>
    let requests: [ScriptedPeer.Received]
    var lines: [String] { requests.map(\.line) }
  }

  /// Prepares the shop's experiment; each request line is answered by its texts in turn, the last
  /// for ever.
  private func prepare(_ answers: [String: [(Int, String)]]) throws -> Outcome {
    let left = Mutex(answers)
    let peer = ScriptedPeer { request in
      left.withLock { left in
        guard let answer = left[request.line]?.first else { return .json(500, "{}") }
        if let count = left[request.line]?.count, count > 1 { left[request.line]?.removeFirst() }
        return .json(answer.0, answer.1)
      }
    }
    defer { peer.stop() }
    let plan = try ImportFixture.plan(ImportFixture.shop, ImportFixture.options())
    let api = ServerAPI(client: HTTPClient(try peer.address))
    let result = Result { () throws(ImportError) in
      try ImportSetup(api: api, plan: plan).prepare(in: Self.environment)
    }
    return Outcome(result: result, requests: peer.requests)
  }

  @Test func aNewExperimentIsMadeAndStarted() throws {
    let outcome = try prepare([
      Self.listMetrics: [(200, Self.page())],
      "POST /v1/metrics": [
        (201, Self.metric("M1", "bought")), (201, Self.metric("M2", "returned")),
      ],
      Self.listExperiments: [(200, Self.page(Self.experiment(environment: "E2")))],
      "POST /v1/experiments": [(201, Self.experiment(status: "draft"))],
      "POST /v1/experiments/X1/start": [(200, Self.experiment())],
    ])
    #expect(outcome.result == .success("X1"))
    #expect(
      outcome.lines == [
        Self.listMetrics, "POST /v1/metrics", Self.listMetrics, "POST /v1/metrics",
        Self.listExperiments, "POST /v1/experiments", "POST /v1/experiments/X1/start",
      ])
    let bodies = outcome.requests.map { String(decoding: $0.body, as: UTF8.self) }
    #expect(
      bodies[1]
        == #"{"key":"shop.bought","name":"bought","event_key":"shop.bought","kind":"binary"}"#)
    #expect(
      bodies[5]
        == #"{"environment_id":"E1","key":"shop","name":"shop","hypothesis":"The variants differ in "#
        + #"bought (a past experiment, imported from shop.csv).","unit_type":"user","#
        + #""assignment_mode":"external","variants":[{"key":"a","weight":50,"is_control":true},"#
        + #"{"key":"b","weight":50,"is_control":false}],"primary_metric_id":"M1","#
        + #""guardrail_metric_ids":["M2"]}"#)
  }

  @Test func aSecondImportChangesNothing() throws {
    let outcome = try prepare([
      Self.listMetrics: [(200, Self.metrics)],
      Self.listExperiments: [(200, Self.page(Self.experiment()))],
    ])
    #expect(outcome.result == .success("X1"))
    #expect(outcome.lines == [Self.listMetrics, Self.listMetrics, Self.listExperiments])
  }

  @Test func listsAreReadPageByPage() throws {
    let outcome = try prepare([
      Self.listMetrics: [(200, Self.metrics)],
      Self.listExperiments: [(200, Self.page(next: "a+b/=="))],
      Self.listExperiments + "&cursor=a%2Bb%2F%3D%3D": [(200, Self.page(Self.experiment()))],
    ])
    #expect(outcome.result == .success("X1"))
  }

  @Test(
    "an experiment that the file does not fit",
    arguments: [
      (experiment(status: "stopped"), "is stopped"),
      (experiment(mode: "managed"), "assigns its units itself (assignment_mode is not external)"),
      (
        experiment(variants: #"[{"key":"a","is_control":true},{"key":"c"}]"#),
        "has the variants a (control), c, the file has a (control), b"
      ),
      (
        experiment(variants: #"[{"key":"a"},{"key":"b","is_control":true}]"#),
        "has the variants a, b (control), the file has a (control), b"
      ),
      (experiment(primary: "M2"), "has other metrics than these columns in this order"),
      (experiment(guardrails: "[]"), "has other metrics than these columns in this order"),
    ])
  func mismatch(experiment: String, reason: String) throws {
    let outcome = try prepare([
      Self.listMetrics: [(200, Self.metrics)], Self.listExperiments: [(200, Self.page(experiment))],
    ])
    #expect(
      outcome.result
        == .failure(
          .mismatch("the experiment \"shop\" exists and \(reason): give another --experiment")))
  }

  @Test(
    "a metric that counts something else",
    arguments: [
      metric("M1", "bought", #""kind":"count""#),
      #"{"id":"M1","key":"shop.bought","event_key":"buy","kind":"binary"}"#,
      #"{"id":"M1","key":"shop.bought","event_key":"shop.bought","kind":"binary","property_path":"$.x"}"#,
    ])
  func otherMetric(metric: String) throws {
    let outcome = try prepare([Self.listMetrics: [(200, Self.page(metric))]])
    guard case .failure(.mismatch) = outcome.result else {
      Issue.record("\(outcome.result)")
      return
    }
    #expect(outcome.lines == [Self.listMetrics])
  }

  @Test func anArchivedExperimentIsToldAsSuch() throws {
    let outcome = try prepare([
      Self.listMetrics: [(200, Self.metrics)], Self.listExperiments: [(200, Self.page())],
      "POST /v1/experiments": [(409, #"{"title":"Conflict"}"#)],
      Self.listArchived: [(200, Self.page(Self.experiment(status: "archived")))],
    ])
    #expect(
      outcome.result
        == .failure(
          .mismatch("the experiment \"shop\" exists and is archived: give another --experiment")))
  }

  @Test func aCreationThatHappenedAfterAllIsUsed() throws {
    let outcome = try prepare([
      Self.listMetrics: [(200, Self.metrics)],
      Self.listExperiments: [
        (200, Self.page()), (200, Self.page(Self.experiment(status: "draft"))),
      ],
      "POST /v1/experiments": [(409, #"{"title":"Conflict"}"#)],
      "POST /v1/experiments/X1/start": [(409, #"{"title":"Conflict"}"#)],
      "GET /v1/experiments/X1": [(200, Self.experiment())],
    ])
    #expect(outcome.result == .success("X1"))
  }

  @Test func refusalsNameEveryWrongField() throws {
    let problem =
      #"{"title":"Unprocessable","detail":"2 fields are wrong.","#
      + #""errors":[{"pointer":"/key","detail":"is taken"},{"pointer":"/name","detail":"is long"}]}"#
    let outcome = try prepare([
      Self.listMetrics: [(200, Self.page())], "POST /v1/metrics": [(422, problem)],
    ])
    let detail = "2 fields are wrong. (/key is taken; /name is long)"
    #expect(outcome.result == .failure(.client(.refused(status: 422, detail: detail))))
  }

  @Test(
    "environments",
    arguments: [
      (nil, ["dev"], "dev"), (nil, ["dev", "production"], "production"),
      ("dev", ["dev", "production"], "dev"),
      (nil, ["dev", "stage"], nil), ("stage", ["dev"], nil), (nil, [], nil),
    ] as [(String?, [String], String?)])
  func environments(wanted: String?, slugs: [String], chosen: String?) throws {
    let entries = slugs.map { #"{"id":"id-\#($0)","slug":"\#($0)"}"# }.joined(separator: ",")
    let peer = ScriptedPeer([.json(200, Self.page(entries))])
    defer { peer.stop() }
    let api = ServerAPI(client: HTTPClient(try peer.address))
    if let chosen {
      #expect(
        try ImportSetup.environment(wanted, api)
          == ImportSetup.Environment(id: "id-\(chosen)", slug: chosen))
    } else {
      let error = #expect(throws: ImportError.self) { try ImportSetup.environment(wanted, api) }
      #expect(slugs.allSatisfy { error?.description.contains($0) ?? false })
    }
  }
}
