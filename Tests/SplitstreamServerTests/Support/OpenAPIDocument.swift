@testable import SplitstreamServer

/// openapi.json, to hold requests and responses against it.
struct OpenAPIDocument {
  let root: JSONValue
  let operations: [Operation]
  private let validator: SchemaValidator

  init() throws {
    try self.init(Repository.bytes("openapi.json"))
  }

  init(_ bytes: [UInt8]) throws {
    root = try JSONValue(parsing: bytes)
    validator = SchemaValidator(document: root)
    operations = Self.operations(of: root, validator)
  }

  /// One operation: a method of a path.
  struct Operation {
    let id: String
    let method: String
    let path: String
    let definition: JSONValue
    /// Those of the path, then its own.
    let parameters: [JSONValue]
  }

  private static func operations(of root: JSONValue, _ validator: SchemaValidator) -> [Operation] {
    guard let paths = root["paths"] else { return [] }
    return paths.members.flatMap { path, item in
      let shared = item["parameters"].map { Array($0.elements) } ?? []
      return item.members.filter { $0.key != "parameters" }.map { method, definition in
        Operation(
          id: definition["operationId"]?.string ?? "", method: method, path: path,
          definition: definition,
          parameters: (shared + (definition["parameters"].map { Array($0.elements) } ?? [])).map {
            resolved($0, validator)
          })
      }
    }
  }

  func operation(_ id: String) -> Operation? {
    operations.first { $0.id == id }
  }

  /// What is wrong with an answer of an operation; a status that is not declared is.
  func check(
    status: Int, contentType: String?, body: some Collection<UInt8>, operationID: String
  ) -> [String] {
    guard let operation = operation(operationID) else { return ["no operation \(operationID)"] }
    guard let response = operation.definition["responses"]?[member: String(status)].map(resolved)
    else {
      return ["\(operationID) does not declare the status \(status)"]
    }
    return content(response, contentType, Array(body), "\(operationID) \(status)")
      + statusViolations(status, Array(body))
  }

  /// What is wrong with a problem that belongs to no operation: an unknown path, a method that is
  /// not allowed, …
  func checkProblem(status: Int, contentType: String?, body: some Collection<UInt8>) -> [String] {
    guard let response = root["components"]?["responses"]?["NotFound"] else {
      return ["no NotFound"]
    }
    return content(response, contentType, Array(body), "problem \(status)")
      + statusViolations(status, Array(body))
  }

  /// What is wrong with a request's body.
  func checkRequest(body: some Collection<UInt8>, operationID: String) -> [String] {
    guard let request = operation(operationID)?.definition["requestBody"] else {
      return body.isEmpty ? [] : ["\(operationID) takes no body"]
    }
    if body.isEmpty && request["required"]?.bool != true { return [] }
    return content(request, "application/json", Array(body), operationID)
  }

  func resolved(_ value: JSONValue) -> JSONValue { Self.resolved(value, validator) }

  private static func resolved(_ value: JSONValue, _ validator: SchemaValidator) -> JSONValue {
    value["$ref"]?.string.flatMap(validator.resolve) ?? value
  }

  private func content(
    _ declared: JSONValue, _ contentType: String?, _ body: [UInt8], _ place: String
  ) -> [String] {
    guard let content = declared["content"] else {
      return body.isEmpty ? [] : ["\(place): a body, where none is declared"]
    }
    let mediaType = contentType?.prefix { $0 != ";" } ?? ""
    guard let schema = content[member: String(mediaType)]?["schema"] else {
      return ["\(place): the content type \"\(mediaType)\" is not declared"]
    }
    // A text is a string, whatever it says.
    if mediaType.hasPrefix("text/") { return [] }
    do {
      return validator.violations(try JSONValue(parsing: body), against: schema, at: place)
    } catch {
      return ["\(place): the body is not JSON: \(error)"]
    }
  }

  /// A problem repeats its status in its body.
  private func statusViolations(_ status: Int, _ body: [UInt8]) -> [String] {
    guard status >= 400, let problem = try? JSONValue(parsing: body) else { return [] }
    return problem["status"]?.integer == status ? [] : ["the problem's status is not \(status)"]
  }
}
