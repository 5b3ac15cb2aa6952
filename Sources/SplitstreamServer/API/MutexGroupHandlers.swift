/// `GET /v1/mutex-groups`
struct ListMutexGroupsHandler: Handler {
  let store: MutexGroupStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let page = try Paging.read(request)
    let groups = try await store.groups(
      of: caller.key.workspaceID, environment: caller.key.environmentID, page: page)
    return Paging.response(groups, page, id: \.id)
  }
}

/// `POST /v1/mutex-groups`
struct CreateMutexGroupHandler: Handler {
  let store: MutexGroupStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let input = try MutexGroupInput(request, isWhole: true)
    let id = ids.make()
    let audit = input.audit("mutex_group.created", id, caller, ids)
    try await store.create(id, key: input.key ?? "", name: input.name ?? "", audit: audit)
    return .json(try await store.find(id.text, for: caller), status: 201)
  }
}

/// `GET /v1/mutex-groups/{id}`
struct GetMutexGroupHandler: Handler {
  let store: MutexGroupStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    .json(try await store.find(request.pathParameters[0], for: caller))
  }
}

/// `PATCH /v1/mutex-groups/{id}`
struct UpdateMutexGroupHandler: Handler {
  let store: MutexGroupStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let input = try MutexGroupInput(request, isWhole: false)
    let group = try await store.find(request.pathParameters[0], for: caller)
    if input.key ?? group.key != group.key || input.name ?? group.name != group.name {
      let audit = input.audit("mutex_group.updated", group.id, caller, ids)
      guard try await store.change(group.id, key: input.key, name: input.name, audit: audit)
      else { throw APIError.notFound("mutex group") }
    }
    return .json(try await store.find(request.pathParameters[0], for: caller))
  }
}

/// `DELETE /v1/mutex-groups/{id}`: when no experiment uses it; archived ones do not count.
struct DeleteMutexGroupHandler: Handler {
  let store: MutexGroupStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let group = try await store.find(request.pathParameters[0], for: caller)
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(), action: "mutex_group.deleted",
      targetType: "mutex_group", targetID: group.id,
      payload: AuditPayload.of(["key": group.key]))
    switch try await store.delete(group.id, audit: audit) {
    case .deleted: return .noContent
    case .inUse: throw APIError.conflict("Experiments use the group; archive them first.")
    case .unknown: throw APIError.notFound("mutex group")
    }
  }
}

/// MutexGroupInput, whole or in part.
private struct MutexGroupInput {
  let key: String?
  let name: String?

  init(_ request: Request, isWhole: Bool) throws(APIError) {
    let body = try BodyReader(request)
    body.allowOnly(["key", "name"])
    if isWhole { body.require(["key", "name"]) }
    key = body.present("key", body.key("key", lengthMax: 128))
    name = body.present("name", body.text("name", bytes: 1...200))
    try body.finish()
  }

  func audit(_ action: String, _ id: ULID, _ caller: Caller, _ ids: IDSource) -> AuditEntry {
    AuditEntry(
      id: ids.make(), actor: caller.actor(), action: action, targetType: "mutex_group",
      targetID: id, payload: AuditPayload.of(["key": key, "name": name]))
  }
}

extension MutexGroupStore {
  fileprivate func find(_ id: String, for caller: Caller) async throws -> MutexGroup {
    guard let id = ULID(id),
      let group = try await group(
        id, of: caller.key.workspaceID, environment: caller.key.environmentID)
    else { throw APIError.notFound("mutex group") }
    return group
  }
}

extension MutexGroup: JSONWritable {
  func write(to writer: inout JSONWriter) {
    writer.object { json in
      json.member("id", id)
      json.member("key", key)
      json.member("name", name)
      json.member("experiment_count", experimentCount)
    }
  }
}
