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
    guard caller.key.environmentID == nil else {
      throw APIError.forbidden("A key that is bound to an environment may not create environments.")
    }
    let body = try BodyReader(request)
    body.allowOnly(["name", "slug"])
    body.require(["name", "slug"])
    let name = body.present("name", body.text("name", bytes: 1...200))
    let slug = body.present("slug", body.text("slug", bytes: 1...32))
    if let slug, !Names.isSlug(slug) {
      body.note("slug", slug == "all" ? "\"all\" is reserved" : "must match ^[a-z0-9-]{1,32}$")
    }
    try body.finish()
    guard let name, let slug else { throw APIError.validation(body.problems) }

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
