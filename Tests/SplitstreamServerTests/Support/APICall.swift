import Dispatch
import Testing

@testable import SplitstreamServer

/// What the server answered to one call.
struct APIReply: Sendable {
  let status: Int
  let head: String
  let body: [UInt8]
  /// The body; null when it is not JSON.
  let json: JSONValue

  /// The value of a header field; nil when the answer has none of this name.
  func header(_ name: String) -> String? {
    let start = "\(name.lowercased()): "
    return head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(start) }.map {
      String($0.dropFirst(start.count))
    }
  }

  /// The last part of a problem's type.
  var kind: String? { json["type"]?.string?.split(separator: ":").last.map(String.init) }

  /// Which fields a problem names, sorted.
  var pointers: [String] {
    (json["errors"]?.elements.compactMap { $0["pointer"]?.string } ?? []).sorted()
  }

  func text(_ member: String) -> String? { json[member: member]?.string }
}

/// How a test's request says who calls.
enum TestCredential {
  /// The tenant's server key that is bound to no environment.
  case tenant
  case key(String)
  case none
}

extension RunningServer {
  private static let document = Result { try OpenAPIDocument() }
  private static let queue = DispatchQueue(label: "api calls", attributes: .concurrent)

  /// Calls an operation on a connection of its own and holds the answer against openapi.json; the
  /// request, too, when it was accepted.
  ///
  /// - Parameters:
  ///   - parameters: the values of the path's parameters, in their order; "x" for those left out.
  /// - hasWrongItems: the request is a batch with items that the schema refuses; the others are
  /// accepted.
  @discardableResult
  func call(
    _ operation: SplitstreamServer.Operation, _ parameters: String..., query: String = "",
    as credential: TestCredential = .tenant, body: String? = nil, headers: [String] = [],
    hasWrongItems: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> APIReply {
    var values = parameters[...]
    let path = operation.path.split(separator: "/").map {
      $0.hasPrefix("{") ? values.popFirst() ?? "x" : String($0)
    }
    var fields = headers
    switch credential {
    case .tenant: fields.append("Authorization: Bearer \(tenant.key)")
    case .key(let key): fields.append("Authorization: Bearer \(key)")
    case .none: break
    }
    if body != nil && !headers.contains(where: { $0.hasPrefix("Content-Type:") }) {
      fields.append("Content-Type: application/json")
    }
    let reply = try await send(
      operation.method.name, "/" + path.joined(separator: "/") + (query.isEmpty ? "" : "?" + query),
      fields, body)
    let document = try Self.document.get()
    var violations = document.check(
      status: reply.status, contentType: reply.header("Content-Type"), body: reply.body,
      operationID: operation.operationID)
    if reply.status < 300 && !hasWrongItems {
      violations += document.checkRequest(
        body: Array((body ?? "").utf8), operationID: operation.operationID)
    }
    for violation in violations { Issue.record("\(violation)", sourceLocation: sourceLocation) }
    return reply
  }

  /// Sends a request as it is, whatever it is, and reads its answer.
  func send(
    _ method: String, _ target: String, _ fields: [String] = [], _ body: String? = nil
  ) async throws -> APIReply {
    try await Self.exchange(port: port, method, target, fields, body)
  }

  static func exchange(
    port: Int, _ method: String, _ target: String, _ fields: [String] = [], _ body: String? = nil
  ) async throws -> APIReply {
    var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + fields
    if let body { lines.append("Content-Length: \(body.utf8.count)") }
    let request = lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
    return try await withCheckedThrowingContinuation { continuation in
      // The client blocks; on the threads that tests run on it could hold up what it waits for.
      queue.async {
        continuation.resume(
          with: Result {
            let client = try TestClient(port: port, waitSeconds: 300)
            // Who is refused before all is sent may not get rid of the rest; the answer is there.
            do { try client.send(request) } catch TestClient.Failure.send {}
            let answer = try client.answer(isHead: method == "HEAD")
            let isJSON = answer.head.contains("json\r\n") && !answer.body.isEmpty
            return APIReply(
              status: answer.status, head: answer.head, body: answer.body,
              json: try isJSON ? JSONValue(parsing: answer.body) : JSONValue(text: "null"))
          })
      }
    }
  }
}
