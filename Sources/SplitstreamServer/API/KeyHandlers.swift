import Dispatch

/// `GET /v1/api-keys`: without secrets; revoked keys are not listed.
struct ListKeysHandler: Handler {
  let store: TenancyStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let page = try Paging.read(request)
    let keys = try await store.keys(
      of: caller.key.workspaceID, environment: caller.key.environmentID, page: page)
    return Paging.response(keys, page, id: \.id)
  }
}

/// `POST /v1/api-keys`: the key itself is in this answer and nowhere else.
struct CreateKeyHandler: Handler {
  let store: TenancyStore
  let ids: IDSource
  let pepper: Pepper
  let changes: CatalogueChanges

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let body = try BodyReader(request)
    body.allowOnly(["name", "kind", "environment_id"])
    body.require(["name", "kind"])
    let name = body.present("name", body.text("name", bytes: 1...200))
    let kind = body.present("kind", body.choice("kind", APIKey.Kind.self))
    let environment = environment(body, caller)
    try body.finish()
    guard let name, let kind else { throw APIError.validation(body.problems) }

    let secret = KeySecret(kind: kind, environmentSlug: environment?.slug)
    let stored = NewAPIKey(
      id: ids.make(), workspaceID: caller.key.workspaceID, environmentID: environment?.id,
      kind: kind, name: name,
      prefix: secret.prefix, lastFour: secret.lastFour, lookupHash: pepper.hash(secret.text),
      argon2id: try await Self.argon2id(secret.text))
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(environment: environment?.id), action: "api_key.created",
      targetType: "api_key", targetID: stored.id,
      payload: AuditPayload.of(["name": name, "kind": kind.rawValue, "last_four": secret.lastFour]))
    guard let key = try await store.create(stored, audit: audit) else {
      throw StorageError.failed(.postgres, "an INSERT returned no row")
    }
    await changes.apply(.key(key.id))
    var json = JSONWriter()
    json.object { json in
      key.writeMembers(to: &json)
      json.member("key", secret.text)
    }
    return .json(json.bytes, status: 201)
  }

  /// The environment the key is bound to. A bound caller issues keys for its own environment only.
  private func environment(_ body: BodyReader, _ caller: Caller) -> Environment? {
    guard let id = body.id("environment_id").valueOrNil else {
      if let own = caller.key.environmentID {
        if case .null = body.id("environment_id") {
          body.note("environment_id", "must be this key's own environment")
        }
        return caller.catalogue.environment(own)
      }
      return nil
    }
    let environment = caller.catalogue.environment(id)
    guard let environment, environment.workspaceID == caller.key.workspaceID,
      caller.key.sees(environment: id)
    else {
      body.note("environment_id", "there is no such environment")
      return nil
    }
    return environment
  }

  /// One at a time: each takes 64 MiB.
  private static let hashing = DispatchQueue(label: "argon2id")

  /// Slow by design, so on a thread that no loop waits for.
  private static func argon2id(_ secret: String) async throws -> String {
    try await withCheckedThrowingContinuation { continuation in
      hashing.async {
        continuation.resume(with: Result { try Argon2id.hash(secret) })
      }
    }
  }
}

extension APIKey: JSONWritable {
  func write(to writer: inout JSONWriter) {
    writer.object { writeMembers(to: &$0) }
  }

  func writeMembers(to json: inout JSONWriter) {
    json.member("id", id)
    json.member("workspace_id", workspaceID)
    json.member("environment_id", environmentID)
    json.member("name", name)
    json.member("kind", kind.rawValue)
    json.member("prefix", prefix)
    json.member("last_four", lastFour)
    json.member("last_used_at", lastUsedAt)
    json.member("created_at", createdAt)
  }
}
