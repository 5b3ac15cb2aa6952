/// `GET /v1/audit`: who changed what, and who looked at results early; with `Accept: text/csv` as a
/// table.
struct ListAuditHandler: Handler {
  let store: AuditStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    var query = try QueryReader(request)
    let page = query.page()
    let filter = AuditStore.Filter(
      action: query.text("action"), targetType: query.text("target_type"),
      targetID: query.text("target_id"), actorID: query.id("actor_id"),
      since: query.time("since"), until: query.time("until"))
    try query.finish()
    let lines = try await store.lines(
      of: caller.key.workspaceID, environment: caller.key.environmentID, matching: filter,
      page: page)
    guard request.headerText("accept")?.hasPrefix("text/csv") == true else {
      return Paging.response(lines, page, id: \.id)
    }
    return AuditTable.response(lines, page)
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

/// A page of the audit log as CSV. The next page's cursor stands in a header: a table has no place
/// for it.
private enum AuditTable {
  static func response(_ lines: [AuditStore.Line], _ page: Page) -> Response {
    let shown = lines.prefix(page.limit - 1)
    var csv = CSVWriter()
    csv.row(["id", "created_at", "actor_id", "action", "target_type", "target_id", "payload"])
    for line in shown {
      csv.row([
        line.id.text, line.createdAt.rfc3339, line.actorID?.text ?? "", line.action,
        line.targetType,
        line.targetID, String(decoding: line.payload, as: UTF8.self),
      ])
    }
    var response = Response(status: 200, contentType: "text/csv; charset=utf-8", body: csv.bytes)
    if lines.count > shown.count, let last = shown.last {
      response.headers.append(("Splitstream-Next-Cursor", last.id.text))
    }
    return response
  }
}
