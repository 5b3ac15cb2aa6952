import Testing

@testable import SplitstreamServer

/// A whole import over sockets against a peer that agrees to everything, and the ways in which it
/// ends early.
@Suite struct ImportRunTests {
  private static let entries: [String: String] = [
    "GET /v1/environments?limit=200": #"{"data":[{"id":"E1","slug":"dev"}]}"#,
    "GET /v1/metrics?limit=200":
      #"{"data":[{"id":"M1","key":"shop.bought","event_key":"shop.bought","kind":"binary"}]}"#,
    "GET /v1/experiments?limit=200":
      #"{"data":[{"id":"X1","key":"shop","environment_id":"E1","status":"running","assignment_mode":"external","#
      + #""variants":[{"key":"a","is_control":true},{"key":"b"}],"primary_metric_id":"M1","guardrail_metric_ids":[]}]}"#,
    "POST /v1/experiments/X1/snapshots":
      #"{"metrics":[{"per_variant":[{"variant_key":"a","sample_size":1,"conversions":1}]}]}"#,
  ]

  private static func ack(_ request: ScriptedPeer.Received, rejecting: Bool = false) -> String {
    let body = try? JSONValue(parsing: request.body)
    let count = (body?["exposures"] ?? body?["events"])?.elements.count ?? 0
    let rejected = rejecting ? #"{"index":0,"reason":"no"}"# : ""
    return #"{"accepted_count":\#(rejecting ? count - 1 : count),"rejected":[\#(rejected)]}"#
  }

  private func run(
    _ text: String, _ answer: @escaping @Sendable (ScriptedPeer.Received) -> ScriptedPeer.Answer
  ) throws -> [ScriptedPeer.Received] {
    let peer = ScriptedPeer { request in
      Self.entries[request.line].map { .json(200, $0) } ?? answer(request)
    }
    defer { peer.stop() }
    return try ImportFixture.withFile(text) { path in
      let options = try ImportFixture.options(
        file: path, binary: ["bought"], url: "http://127.0.0.1:\(peer.port)")
      do throws(ImportError) {
        try ImportRun(options: options).run()
      } catch {
        throw Ended(error: error, requests: peer.requests)
      }
      return peer.requests
    }
  }

  /// How an import ended, and what it had asked the server by then.
  private struct Ended: Error {
    let error: ImportError
    let requests: [ScriptedPeer.Received]
  }

  private static let text =
    ImportFixture.header
    + (1...2_000).map { "\($0),\($0 % 2 == 0 ? "A" : "B"),1,0\n" }.joined()

  @Test func everyExposureGoesBeforeEveryEvent() throws {
    let requests = try run(Self.text) { .json(202, Self.ack($0)) }
    let lines = requests.map(\.line)
    let first = try #require(lines.firstIndex(of: "POST /v1/events/batch"))
    let last = try #require(lines.lastIndex(of: "POST /v1/exposures/batch"))
    #expect(last < first)
    #expect(lines.filter { $0 == "POST /v1/exposures/batch" }.count == 4)
    #expect(lines.filter { $0 == "POST /v1/events/batch" }.count == 4)
    #expect(lines.last == "POST /v1/experiments/X1/snapshots")
    for request in requests {
      #expect(request.head.contains("\r\nAuthorization: Bearer ss_srv_all_x"))
      let namesEnvironment = request.head.contains("\r\nSplitstream-Environment: dev")
      #expect(namesEnvironment == (request.line != "GET /v1/environments?limit=200"))
    }
    let units = try requests.filter { $0.line == "POST /v1/exposures/batch" }.flatMap {
      try JSONValue(parsing: $0.body)["exposures"]?.elements.compactMap { $0["unit_id"]?.string }
        ?? []
    }
    #expect(Set(units) == Set((1...2_000).map { "\($0)" }))
    #expect(units.count == 2_000)
  }

  @Test func rejectedRowsFailTheImportAtItsEnd() throws {
    let ended = try #require(throws: Ended.self) {
      try run(Self.text) { .json(202, Self.ack($0, rejecting: $0.line.contains("exposures"))) }
    }
    #expect(ended.error == .rejected(count: 4))
    #expect(ended.requests.last?.line == "POST /v1/experiments/X1/snapshots")
  }

  @Test func aRefusedBatchEndsTheImport() throws {
    let ended = try #require(throws: Ended.self) {
      try run(Self.text) { _ in .json(403, #"{"title":"Forbidden"}"#) }
    }
    #expect(ended.error == .client(.refused(status: 403, detail: "Forbidden")))
    #expect(!ended.requests.contains { $0.line == "POST /v1/events/batch" })
  }

  @Test func aBadFileAsksTheServerNothing() throws {
    let ended = try #require(throws: Ended.self) {
      try run(Self.text + "1,A,perhaps,0\n") { .json(202, Self.ack($0)) }
    }
    guard case .table(_, .row(line: 2_002, _)) = ended.error else {
      Issue.record("\(ended.error)")
      return
    }
    #expect(ended.requests.isEmpty)
  }

  @Test func theSummaryTellsWhatLooksOdd() throws {
    let options = try ImportFixture.options(binary: ["bought"])
    func summary(_ text: String) throws -> String {
      let survey = try ImportFixture.survey(text, options)
      return ImportRun.summary(of: survey, try ImportPlan(options, survey))
    }
    #expect(try summary(ImportFixture.shop) == "shop.csv: 4 rows, a 2 (control), b 2")
    #expect(try summary(ImportFixture.shop + "4,A,0,0\n").contains("1 row repeat"))
    #expect(try summary(ImportFixture.shop + "5,C,0,0\n").contains("34/33/33"))
  }
}
