import Testing

@testable import SplitstreamServer

/// What openapi.json offers beside the shapes: examples that work, links that lead on, lists that
/// turn pages.
@Suite struct OpenAPIGuideTests {
  let document: OpenAPIDocument

  init() throws {
    document = try OpenAPIDocument()
  }

  /// The example of a shape.
  private func example(_ name: String) throws -> String {
    let schema = try #require(document.root["components"]?["schemas"]?[member: name])
    let first = try #require(schema["examples"]?.elements.first { _ in true })
    return String(decoding: first.source, as: UTF8.self)
  }

  @Test("every example is what its shape says")
  func examples() throws {
    let validator = SchemaValidator(document: document.root)
    var count = 0
    for (name, schema) in try #require(document.root["components"]?["schemas"]).members {
      for example in schema["examples"].map({ Array($0.elements) }) ?? [] {
        count += 1
        #expect(validator.violations(example, against: schema, at: name) == [])
      }
    }
    #expect(count >= 14)
  }

  @Test("every example is accepted by the server")
  func sent() async throws {
    let server = try RunningServer()
    defer { server.stop() }
    var ids: [String: String] = [:]
    func send(_ operation: Operation, _ target: String?, _ schema: String, _ status: Int)
      async throws
    {
      let body = try example(schema).replacing(
        "01ARZ3NDEKTSV4RRFFQ69G5FAV", with: server.tenant.dev)
      let reply = try await server.call(
        operation, target.flatMap { ids[$0] } ?? "", body: body,
        headers: operation.access == .sdk ? ["Splitstream-Environment: dev"] : [])
      #expect(reply.status == status, "\(operation)")
      ids[operation.operationID] = reply.text("id")
    }
    try await send(.createEnvironment, nil, "EnvironmentInput", 201)
    try await send(.updateEnvironment, "createEnvironment", "EnvironmentPatch", 200)
    try await send(.createMetric, nil, "MetricInput", 201)
    try await send(.updateMetric, "createMetric", "MetricPatch", 200)
    try await send(.createExperiment, nil, "ExperimentInput", 201)
    try await send(.updateExperiment, "createExperiment", "ExperimentPatch", 200)
    let experiment = try #require(ids["createExperiment"])
    #expect(try await server.call(.startExperiment, experiment).status == 200)
    let assigned = try await server.call(
      .assign, body: example("AssignInput"), headers: ["Splitstream-Environment: dev"])
    #expect(assigned.status == 200)
    // Whichever variant the unit has, the example's is one of the experiment's.
    let shown = try example("ExposureInput").replacing(
      "green", with: try #require(assigned.text("variant")))
    #expect(
      try await server.call(
        .logExposure, body: shown, headers: ["Splitstream-Environment: dev"]
      ).status == 202)
    try await send(.logExposureBatch, nil, "ExposureBatchInput", 202)
    try await send(.trackEvent, nil, "EventInput", 202)
    try await send(.trackEventBatch, nil, "EventBatchInput", 202)
    try await send(.stopExperiment, "createExperiment", "StopExperimentInput", 200)
    try await send(.createApiKey, nil, "ApiKeyInput", 201)
    try await send(.rotateApiKey, "createApiKey", "RotateApiKeyInput", 200)
  }

  @Test("every answer of 201 says what may follow, by operations and parameters that exist")
  func links() throws {
    var count = 0
    for operation in document.operations {
      guard let created = operation.definition["responses"]?["201"] else { continue }
      let links = created["links"].map { Array($0.members) } ?? []
      #expect(!links.isEmpty, "\(operation.id)")
      for (name, link) in links {
        count += 1
        let target = try #require(
          document.operation(link["operationId"]?.string ?? ""), "\(operation.id) \(name)")
        let known = Set(target.parameters.compactMap { $0["name"]?.string })
        for (parameter, _) in try #require(link["parameters"]).members {
          #expect(known.contains(parameter), "\(operation.id) \(name) \(parameter)")
        }
      }
    }
    #expect(count > 20)
  }

  @Test("every list turns pages by limit and cursor, and says what a wrong one gets")
  func lists() {
    var count = 0
    for operation in document.operations where operation.method == "get" {
      let content = operation.definition["responses"]?["200"]?["content"]?["application/json"]
      guard let schema = content?["schema"].map(document.resolved),
        schema["properties"]?["next_cursor"] != nil
      else { continue }
      count += 1
      let names = Set(operation.parameters.compactMap { $0["name"]?.string })
      #expect(names.isSuperset(of: ["limit", "cursor"]), "\(operation.id)")
      #expect(operation.definition["responses"]?["422"] != nil, "\(operation.id)")
    }
    #expect(count >= 6)
  }

  @Test("the server hands out this description, and a page made from it that loads nothing")
  func served() async throws {
    let server = try RunningServer.shared()
    let description = try await server.call(.getDescription, as: .none)
    #expect(description.status == 200)
    #expect(description.body == Array(try Repository.bytes("openapi.json")))
    let page = try await server.call(.getReference, as: .none)
    #expect(page.status == 200)
    #expect(page.header("Content-Type") == "text/html; charset=utf-8")
    #expect(page.header("Content-Security-Policy")?.hasPrefix("default-src 'none'") == true)
    let html = String(decoding: page.body, as: UTF8.self)
    for operation in document.operations {
      #expect(html.contains("<section id=\"\(operation.id)\">"), "\(operation.id)")
    }
    for (name, _) in try #require(document.root["components"]?["schemas"]).members {
      #expect(html.contains("<h3 id=\"\(name)\">"), "\(name)")
    }
    for loading in ["<script", "<img", "<link", "<iframe", "src=", "url(", "@import", "//"] {
      #expect(!html.contains(loading), "\(loading)")
    }
  }

  @Test("what a description says is text on the page, never HTML")
  func escaping() throws {
    let page = ReferencePage(
      try JSONValue(
        text: #"{"info":{"title":"<b>&\"","version":"1","description":"`<i>` and <u>"}}"#))
    #expect(page.html.contains("<h1>&lt;b&gt;&amp;&quot; 1</h1>"))
    #expect(page.html.contains("<p><code>&lt;i&gt;</code> and &lt;u&gt;</p>"))
  }
}
