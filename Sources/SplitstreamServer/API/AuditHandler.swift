/// `GET /v1/audit`: who changed what, and who looked at results early.
struct ListAuditHandler: Handler {
  let store: AuditStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    var query = try QueryReader(request)
    let page = query.page()
    try query.finish()
    let filter = AuditStore.Filter(
      action: query.text("action"), targetType: query.text("target_type"),
      targetID: query.text("target_id"))
    let lines = try await store.lines(
      of: caller.key.workspaceID, environment: caller.key.environmentID, matching: filter,
      page: page)
    return Paging.response(lines, page, id: \.id)
  }
}

extension AuditStore.Line: JSONWritable {
  func write(to writer: inout JSONWriter) {
    writer.object { json in
      json.member("id", id)
      json.member("actor_id", actorID)
      json.member("action", action)
      json.member("target_type", targetType)
      json.member("target_id", targetID)
      json.member("payload") { $0.raw(payload) }
      json.member("created_at", createdAt)
    }
  }
}
