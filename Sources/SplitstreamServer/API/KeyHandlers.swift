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
      kind: kind, name: name, secret: try await secret.stored(under: pepper))
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
}

/// `DELETE /v1/api-keys/{id}`: from the answer on this process refuses the key, every other within
/// a second.
struct RevokeKeyHandler: Handler {
  let store: TenancyStore
  let ids: IDSource
  let changes: CatalogueChanges

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let key = try await store.find(key: request.pathParameters[0], for: caller)
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(environment: key.environmentID),
      action: "api_key.revoked", targetType: "api_key", targetID: key.id,
      payload: AuditPayload.of(["name": key.name, "last_four": key.lastFour]))
    guard try await store.revoke(key, audit: audit) else { throw APIError.notFound("API key") }
    await changes.apply(.key(key.id))
    return .noContent
  }
}

/// `POST /v1/api-keys/{id}/rotate`: another secret for the same key; the old one stays in force for
/// a chosen time.
struct RotateKeyHandler: Handler {
  static let overlapSeconds = 0...604_800

  let store: TenancyStore
  let ids: IDSource
  let pepper: Pepper
  let changes: CatalogueChanges

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let overlapSeconds = try Self.overlapSeconds(request)
    let key = try await store.find(key: request.pathParameters[0], for: caller)
    let slug = key.environmentID.flatMap { caller.catalogue.environment($0)?.slug }
    let secret = KeySecret(kind: key.kind, environmentSlug: slug)
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(environment: key.environmentID),
      action: "api_key.rotated", targetType: "api_key", targetID: key.id,
      payload: AuditPayload.of([
        "name": key.name, "last_four": secret.lastFour, "previous_last_four": key.lastFour,
        "overlap_seconds": overlapSeconds,
      ]))
    let rotated = try await store.rotate(
      key, to: try await secret.stored(under: pepper), overlapSeconds: overlapSeconds, audit: audit)
    guard let rotated else { throw APIError.notFound("API key") }
    await changes.apply(.key(key.id))
    var json = JSONWriter()
    json.object { json in
      rotated.key.writeMembers(to: &json)
      json.member("key", secret.text)
      json.member("previous_valid_until", rotated.previousValidUntil)
    }
    return .json(json.bytes)
  }

  /// The body may be absent; the old secret ends at once then.
  private static func overlapSeconds(_ request: Request) throws(APIError) -> Int {
    guard request.hasBody else { return 0 }
    let body = try BodyReader(request)
    body.allowOnly(["overlap_seconds"])
    let seconds = body.present("overlap_seconds", body.integer("overlap_seconds")) ?? 0
    if !overlapSeconds.contains(seconds) {
      body.note("overlap_seconds", "must be from 0 to \(overlapSeconds.upperBound)")
    }
    try body.finish()
    return seconds
  }
}

extension TenancyStore {
  /// The key in force with this id in what the caller may see.
  func find(key id: String, for caller: Caller) async throws -> APIKey {
    guard let id = ULID(id),
      let key = try await key(
        id, of: caller.key.workspaceID, environment: caller.key.environmentID)
    else { throw APIError.notFound("API key") }
    return key
  }
}

extension KeySecret {
  /// One at a time: each takes 64 MiB.
  private static let hashing = DispatchQueue(label: "argon2id")

  /// What is kept of it; slow by design, so computed on a thread that no loop waits for.
  fileprivate func stored(under pepper: Pepper) async throws -> StoredSecret {
    try await withCheckedThrowingContinuation { continuation in
      Self.hashing.async {
        continuation.resume(with: Result { try StoredSecret(self, pepper: pepper) })
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
