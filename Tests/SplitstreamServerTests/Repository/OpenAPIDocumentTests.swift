import Testing

@testable import SplitstreamServer

/// Answers are held against openapi.json: the right ones pass, and each kind of wrong one does not.
@Suite struct OpenAPIDocumentTests {
  let document: OpenAPIDocument

  init() throws {
    document = try OpenAPIDocument()
  }

  private func check(_ status: Int, _ type: String?, _ body: String, _ operation: String)
    -> [String]
  {
    document.check(
      status: status, contentType: type, body: Array(body.utf8), operationID: operation)
  }

  @Test func answers() {
    let json = "application/json"
    let problem = "application/problem+json"
    let health = #"{"status":"ok","version":"0.1.0"}"#
    let unauthorized = #"{"type":"urn:x:unauthorized","title":"No key","status":401}"#
    #expect(check(200, json, health, "healthz") == [])
    #expect(check(200, "application/json; charset=utf-8", health, "healthz") == [])
    #expect(check(204, nil, "", "archiveExperiment") == [])
    #expect(check(401, problem, unauthorized, "listMetrics") == [])
    #expect(check(200, json, #"{"status":"down","version":"1"}"#, "healthz") != [])
    #expect(check(200, json, "{\"status\":\"ok\",}", "healthz") != [])
    #expect(check(200, "text/plain", health, "healthz") != [])
    #expect(check(201, json, health, "healthz") != [])
    #expect(check(204, nil, " ", "archiveExperiment") != [])
    #expect(check(401, json, unauthorized, "listMetrics") != [])
    #expect(check(403, problem, unauthorized, "listMetrics") != [])
    #expect(check(200, json, health, "nobodyKnows") != [])
  }

  @Test("a problem of no operation is still a problem document")
  func problems() {
    let body = Array(#"{"type":"urn:x:not-found","title":"Not found","status":404}"#.utf8)
    let type = "application/problem+json"
    #expect(document.checkProblem(status: 404, contentType: type, body: body) == [])
    #expect(document.checkProblem(status: 405, contentType: type, body: body) != [])
    #expect(document.checkProblem(status: 404, contentType: "text/html", body: body) != [])
  }

  @Test func requests() {
    let body = #"{"experiment_key":"k","unit_id":"u","context":{"a":1},"anything":1}"#
    #expect(document.checkRequest(body: Array(body.utf8), operationID: "assign") == [])
    let slip = #"{"name":"Production","slug":"production","slugg":""}"#
    #expect(document.checkRequest(body: Array(slip.utf8), operationID: "createEnvironment") != [])
    #expect(document.checkRequest(body: [], operationID: "startExperiment") == [])
    #expect(document.checkRequest(body: Array("{}".utf8), operationID: "startExperiment") != [])
  }
}
