/// `GET /v1/workspaces/current`
struct GetWorkspaceHandler: Handler {
  let store: TenancyStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    guard let workspace = try await store.workspace(caller.key.workspaceID) else {
      throw APIError.notFound("workspace")
    }
    return .json(workspace)
  }
}

/// `GET /v1/environments`
struct ListEnvironmentsHandler: Handler {
  let store: TenancyStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let page = try Paging.read(request)
    let environments = try await store.environments(
      of: caller.key.workspaceID, only: caller.key.environmentID, page: page)
    return Paging.response(environments, page, id: \.id)
  }
}

/// `POST /v1/environments`
struct CreateEnvironmentHandler: Handler {
  let store: TenancyStore
  let ids: IDSource
  let changes: CatalogueChanges

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    try EnvironmentInput.requireUnbound(caller)
    let input = try EnvironmentInput(BodyReader(request), isWhole: true)
    guard let name = input.name, let slug = input.slug else { throw APIError.validation([]) }

    let id = ids.make()
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(environment: id), action: "environment.created",
      targetType: "environment", targetID: id,
      payload: AuditPayload.of(["slug": slug, "name": name]))
    let created = try await store.create(
      environment: id, slug: slug, name: name, shard: Int(id.low % Environment.shardCount),
      audit: audit)
    guard let created else { throw StorageError.failed(.postgres, "an INSERT returned no row") }
    await changes.apply(.environment(id))
    return .json(created, status: 201)
  }
}

/// `GET /v1/environments/{id}`
struct GetEnvironmentHandler: Handler {
  let store: TenancyStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    .json(try await store.find(environment: request.pathParameters[0], for: caller))
  }
}

/// `PATCH /v1/environments/{id}`: keys that bear the old slug stay valid.
struct UpdateEnvironmentHandler: Handler {
  let store: TenancyStore
  let ids: IDSource
  let changes: CatalogueChanges

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let current = try await store.find(environment: request.pathParameters[0], for: caller)
    try EnvironmentInput.requireUnbound(caller)
    let input = try EnvironmentInput(BodyReader(request), isWhole: false)
    if input.slug ?? current.slug == current.slug && input.name ?? current.name == current.name {
      return .json(current)
    }
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(environment: current.id),
      action: "environment.updated", targetType: "environment", targetID: current.id,
      payload: AuditPayload.of([
        "slug": input.slug ?? current.slug, "name": input.name ?? current.name,
      ]))
    let changed = try await store.change(
      environment: current.id, slug: input.slug, name: input.name, audit: audit)
    guard let changed else { throw APIError.notFound("environment") }
    await changes.apply(.environment(current.id))
    return .json(changed)
  }
}

/// `DELETE /v1/environments/{id}`: only one without experiments and without keys in force.
struct DeleteEnvironmentHandler: Handler {
  let store: TenancyStore
  let ids: IDSource
  let changes: CatalogueChanges

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let environment = try await store.find(environment: request.pathParameters[0], for: caller)
    try EnvironmentInput.requireUnbound(caller)
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(environment: environment.id),
      action: "environment.deleted", targetType: "environment", targetID: environment.id,
      payload: AuditPayload.of(["slug": environment.slug, "name": environment.name]))
    do {
      guard try await store.delete(environment: environment.id, audit: audit) else {
        throw APIError.notFound("environment")
      }
    } catch StorageError.inUse {
      throw APIError.conflict("The environment has experiments, or keys in force.")
    }
    await changes.apply(.environment(environment.id))
    return .noContent
  }
}

/// EnvironmentInput: whole for a creation, any subset of it for a change.
private struct EnvironmentInput {
  let name: String?
  let slug: String?

  init(_ body: BodyReader, isWhole: Bool) throws(APIError) {
    body.allowOnly(["name", "slug"])
    if isWhole { body.require(["name", "slug"]) }
    name = body.present("name", body.text("name", bytes: 1...200))
    slug = body.present("slug", body.text("slug", bytes: 1...32))
    if let slug, !Names.isSlug(slug) {
      body.note("slug", slug == "all" ? "\"all\" is reserved" : "must match ^[a-z0-9-]{1,32}$")
    }
    try body.finish()
  }

  static func requireUnbound(_ caller: Caller) throws(APIError) {
    if caller.key.environmentID != nil {
      throw .forbidden(
        "A key that is bound to an environment may not create, change or delete environments.")
    }
  }
}

extension TenancyStore {
  /// The environment with this id in what the caller may see.
  fileprivate func find(environment id: String, for caller: Caller) async throws -> Environment {
    guard let id = ULID(id),
      let environment = try await environment(
        id, of: caller.key.workspaceID, only: caller.key.environmentID)
    else { throw APIError.notFound("environment") }
    return environment
  }
}

extension Workspace: JSONWritable {
  func write(to writer: inout JSONWriter) {
    writer.object { json in
      json.member("id", id)
      json.member("name", name)
      json.member("slug", slug)
      json.member("created_at", createdAt)
    }
  }
}

extension Environment: JSONWritable {
  func write(to writer: inout JSONWriter) {
    writer.object { json in
      json.member("id", id)
      json.member("workspace_id", workspaceID)
      json.member("name", name)
      json.member("slug", slug)
      json.member("created_at", createdAt)
    }
  }
}
