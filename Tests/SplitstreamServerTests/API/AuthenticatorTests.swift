import Testing

@testable import SplitstreamServer

/// Who may call what. Nobody learns from an answer whether what he may not see exists.
@Suite struct AuthenticatorTests {
  let server: RunningServer
  init() throws { server = try .shared() }

  private static let keyed = Operation.allCases.filter { $0.access != .open }

  /// A body that an operation would read; it is never looked at before the key.
  private func body(_ operation: Operation) -> String? {
    operation.method == .get || operation.method == .delete ? nil : "{}"
  }

  @Test("without a key in force: 401 with WWW-Authenticate", arguments: keyed)
  func unauthorized(operation: Operation) async throws {
    let key = server.tenant.key
    let unknown = String(key.dropLast(4)) + "AAAA"
    let values = [
      nil, "", "Bearer", "Bearer ", "Bearer \(unknown)", "Bearer \(key)x", "Bearer \(key) x",
      "Basic \(key)", key,
      "Bearer ss_srv_all_", "Bearer \(String(repeating: "x", count: 5000))",
    ]
    for value in values {
      let headers = value.map { ["Authorization: \($0)"] } ?? []
      let reply = try await server.call(
        operation, "x", as: .none, body: body(operation), headers: headers)
      #expect(reply.status == 401, "\(value ?? "no header")")
      #expect(reply.header("WWW-Authenticate") == "Bearer")
    }
  }

  @Test("two keys are no key: which one counts would be a guess")
  func twoKeys() async throws {
    let field = "Authorization: Bearer \(server.tenant.key)"
    #expect(try await server.call(.listMetrics, as: .none, headers: [field]).status == 200)
    #expect(try await server.call(.listMetrics, as: .none, headers: [field, field]).status == 401)
  }

  @Test("the scheme's name is in any case")
  func scheme() async throws {
    for scheme in ["Bearer", "bearer", "BEARER"] {
      let field = "authorization: \(scheme)  \(server.tenant.key)"
      #expect(try await server.call(.listMetrics, as: .none, headers: [field]).status == 200)
    }
  }

  @Test("a client key assigns and sends, and no more", arguments: keyed)
  func clientKey(operation: Operation) async throws {
    let reply = try await server.call(
      operation, "01ARZ3NDEKTSV4RRFFQ69G5FAV", as: .key(server.tenant.clientKey),
      body: body(operation))
    if operation.access == .server {
      #expect(reply.status == 403)
    } else {
      #expect(reply.status == (body(operation) == nil ? 200 : 422))
    }
  }

  @Test("a revoked key is refused, on every loop")
  func revoked() async throws {
    let created = try await server.call(
      .createApiKey, body: #"{"name":"to be revoked","kind":"server"}"#)
    let key = try #require(created.text("key"))
    #expect(try await server.call(.listMetrics, as: .key(key)).status == 200)
    // As another process would: this one hears of it from PostgreSQL.
    _ = try server.stores.texts(
      "UPDATE api_keys SET revoked_at = now() WHERE id = $1 RETURNING name",
      .id(ULID(created.text("id") ?? "")))
    try await everywhere("the key is refused") {
      try await server.call(.listMetrics, as: .key(key)).status == 401
    }
  }

  /// Operations on one experiment.
  private static let onExperiment = keyed.filter {
    $0.path.hasPrefix("/v1/experiments/{id}")
  }

  @Test("what another workspace or environment has does not exist", arguments: onExperiment)
  func foreignExperiment(operation: Operation) async throws {
    let mine = try await server.draft(in: server.tenant.production)
    let body: String? =
      switch operation {
      case .updateExperiment: #"{"name":"Stolen"}"#
      case .stopExperiment: #"{"reason":"won"}"#
      case .putOverride: #"{"variant":"control"}"#
      default: nil
      }
    for key in [server.stranger.key, server.stranger.boundKey, server.tenant.boundKey] {
      let reply = try await server.call(operation, mine.id, as: .key(key), body: body)
      let unknown = try await server.call(
        operation, "01ARZ3NDEKTSV4RRFFQ69G5FAV", as: .key(key), body: body)
      #expect(reply.status == 404)
      #expect(reply.text("detail") == unknown.text("detail"))
    }
    for id in [
      "x", "01ARZ3NDEKTSV4RRFFQ69G5FA", "01ARZ3NDEKTSV4RRFFQ69G5FAU", "81ARZ3NDEKTSV4RRFFQ69G5FAV",
    ] {
      #expect(try await server.call(operation, id, body: body).status == 404)
    }
    #expect(try await server.call(.getExperiment, mine.id).text("status") == "draft")
  }
}
