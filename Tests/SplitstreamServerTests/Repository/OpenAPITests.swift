import Testing

@testable import SplitstreamServer

/// openapi.json, the routes of the code and the published contract say the same.
@Suite struct OpenAPITests {
  let document: OpenAPIDocument

  init() throws {
    document = try OpenAPIDocument()
  }

  @Test("openapi.json and the code name the same operations")
  func operations() {
    let declared = document.operations.map { "\($0.id) \($0.method) \($0.path)" }
    let routed = Operation.allCases.map { "\($0.operationID) \($0.method) \($0.path)" }
    #expect(declared.sorted() == routed.sorted())
    #expect(Set(document.operations.map(\.id)).count == declared.count)
  }

  @Test("an operation is open in openapi.json where it is open in the code")
  func access() {
    for operation in Operation.allCases {
      let security = document.operation(operation.operationID)?.definition["security"]
      #expect((security?.elements.isEmpty ?? false) == (operation.access == .open), "\(operation)")
    }
  }

  @Test("no schema uses a keyword that the tests would not check")
  func keywords() throws {
    let schemas = try #require(document.root["components"]?["schemas"]).members.map(\.value)
    let inline = document.operations.flatMap { $0.parameters.compactMap { $0["schema"] } }
    #expect((schemas + inline).flatMap(SchemaValidator.unknownKeywords) == [])
  }

  @Test("every reference leads somewhere")
  func references() {
    let validator = SchemaValidator(document: document.root)
    func dangling(_ value: JSONValue) -> [String] {
      let own = value["$ref"]?.string.flatMap { validator.resolve($0) == nil ? [$0] : nil } ?? []
      return own + value.members.flatMap { dangling($0.value) } + value.elements.flatMap(dangling)
    }
    #expect(dangling(document.root) == [])
  }

  @Test("every operation declares what every operation can answer")
  func statuses() {
    for operation in document.operations {
      // A client may send a body wherever it likes.
      #expect(
        operation.definition["responses"]?[member: "413"] != nil, "\(operation.id) 413")
    }
    for operation in document.operations where Operation(rawValue: operation.id)?.access != .open {
      var expected = ["401", "500", "503"]
      if operation.definition["requestBody"] != nil { expected += ["400", "413", "415", "422"] }
      if operation.path.contains("{id}") { expected.append("404") }
      for status in expected {
        #expect(
          operation.definition["responses"]?[member: status] != nil, "\(operation.id) \(status)")
      }
    }
  }

  @Test("members that nobody knows are refused where people configure, and only there")
  func unknownMembers() {
    for operation in document.operations {
      let body = operation.definition["requestBody"]?["content"]?["application/json"]?["schema"]
      guard let schema = body.map(document.resolved) else { continue }
      let isClosed = schema["additionalProperties"]?.bool == false
      // A preview takes what the SDK sends.
      let isSDK =
        Operation(rawValue: operation.id)?.access == .sdk || operation.id == "previewAssignment"
      #expect(isClosed != isSDK, "\(operation.id)")
    }
  }

  @Test("what the published contract promises is kept")
  func contract() throws {
    let facts = try JSONValue(parsing: Repository.fixture("contract-0.1.0-facts.json"))
    #expect(facts["operations"]?.elements.count == 27)
    #expect(ContractFacts(facts: facts, document: document).breaches == [])
  }

  @Test("what breaks the contract is noticed")
  func contractBreaches() throws {
    let facts = try JSONValue(parsing: Repository.fixture("contract-0.1.0-facts.json"))
    let text = String(decoding: document.root.source, as: UTF8.self)
    let changes = [
      ("\"maxItems\": 500", "\"maxItems\": 400"),
      ("\"posterior_threshold\": {", "\"threshold\": {"),
      ("\"default\": 0.995", "\"default\": 0.95"), ("[\"won\", ", "[\"victory\", \"won\", "),
      ("\"required\": [\"experiment_key\", \"unit_id\"]", "\"required\": [\"experiment_key\"]"),
      ("\"operationId\": \"startExperiment\"", "\"operationId\": \"stopExperiment\""),
      ("\"429\": {", "\"428\": {"), ("\"^[a-z0-9._-]{1,64}$\"", "\"^[a-z]{1,64}$\""),
    ]
    for (old, new) in changes {
      #expect(text.contains(old), "\(old)")
      let changed = try OpenAPIDocument(Array(text.replacing(old, with: new).utf8))
      let breaches = ContractFacts(facts: facts, document: changed).breaches
      // A request may ask for less: the one change here that is allowed.
      #expect(breaches.isEmpty == new.contains("required"), "\(new)")
    }
  }
}
