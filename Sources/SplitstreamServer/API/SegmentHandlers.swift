/// `GET /v1/segments`
struct ListSegmentsHandler: Handler {
  let store: SegmentStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let page = try Paging.read(request)
    return Paging.response(
      try await store.segments(of: caller.key.workspaceID, page: page), page, id: \.id)
  }
}

/// `POST /v1/segments`
struct CreateSegmentHandler: Handler {
  let store: SegmentStore
  let ids: IDSource
  let changes: CatalogueChanges

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let body = try BodyReader(request)
    let input = SegmentInput(body)
    body.require(["key", "name", "audience"])
    try body.finish()
    guard let key = input.key, let name = input.name, let audience = input.audience else {
      throw APIError.validation(body.problems)
    }
    let id = ids.make()
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(), action: "segment.created", targetType: "segment",
      targetID: id, payload: AuditPayload.of(["key": key, "name": name]))
    let created = try await store.create(
      id, key: key, name: name, audience: audience, audit: audit)
    guard let created else { throw StorageError.failed(.postgres, "an INSERT returned no row") }
    await changes.apply(.segment(id))
    return .json(created, status: 201)
  }
}

/// `GET /v1/segments/{id}`
struct GetSegmentHandler: Handler {
  let store: SegmentStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    .json(try await store.find(request.pathParameters[0], for: caller))
  }
}

/// `PATCH /v1/segments/{id}`: another audience reaches the experiments that name it while they run;
/// units that are assigned stay where they are.
struct UpdateSegmentHandler: Handler {
  let store: SegmentStore
  let ids: IDSource
  let changes: CatalogueChanges

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let current = try await store.find(request.pathParameters[0], for: caller)
    let body = try BodyReader(request)
    let input = SegmentInput(body)
    try body.finish()
    if input.changesNothing(of: current) { return .json(current) }
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(), action: "segment.updated", targetType: "segment",
      targetID: current.id,
      payload: AuditPayload.of([
        "key": input.key ?? current.key, "audience_changed": input.audience != nil,
      ]))
    do {
      let changed = try await store.change(
        current.id, key: input.key, name: input.name, audience: input.audience, audit: audit)
      guard let changed else { throw APIError.notFound("segment") }
      await changes.apply(.segment(changed.id))
      return .json(changed)
    } catch StorageError.inUse {
      throw APIError.conflict("The audience of an experiment names this segment by its key.")
    }
  }
}

/// `DELETE /v1/segments/{id}`: only one that no experiment's audience names.
struct DeleteSegmentHandler: Handler {
  let store: SegmentStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let segment = try await store.find(request.pathParameters[0], for: caller)
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(), action: "segment.deleted", targetType: "segment",
      targetID: segment.id, payload: AuditPayload.of(["key": segment.key]))
    do {
      guard try await store.delete(segment.id, audit: audit) else {
        throw APIError.notFound("segment")
      }
    } catch StorageError.inUse {
      throw APIError.conflict("The audience of an experiment names this segment.")
    }
    return .noContent
  }
}

extension SegmentStore {
  /// The segment with this id in the caller's workspace.
  fileprivate func find(_ id: String, for caller: Caller) async throws -> Segment {
    guard let id = ULID(id), let segment = try await segment(id, of: caller.key.workspaceID) else {
      throw APIError.notFound("segment")
    }
    return segment
  }
}

/// SegmentInput, or any subset of it; what is wrong is noted in the body's reader.
private struct SegmentInput {
  let key: String?
  let name: String?
  let audience: Audience?

  init(_ body: BodyReader) {
    body.allowOnly(["key", "name", "audience"])
    key = body.present("key", body.key("key", lengthMax: Segment.keyLengthMax))
    name = body.present("name", body.text("name", bytes: 1...200))
    audience = body.present("audience", body.audience("audience", mayNameSegments: false))
  }

  func changesNothing(of segment: Segment) -> Bool {
    (key ?? segment.key) == segment.key && (name ?? segment.name) == segment.name
      && (audience ?? segment.audience) == segment.audience
  }
}

extension Segment: JSONWritable {
  func write(to writer: inout JSONWriter) {
    writer.object { json in
      json.member("id", id)
      json.member("workspace_id", workspaceID)
      json.member("key", key)
      json.member("name", name)
      json.member("audience", audience)
      json.member("created_at", createdAt)
      json.member("updated_at", updatedAt)
    }
  }
}
