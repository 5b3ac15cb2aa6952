/// `GET /v1/metrics`
struct ListMetricsHandler: Handler {
  let store: MetricStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let page = try Paging.read(request)
    return Paging.response(
      try await store.metrics(of: caller.key.workspaceID, page: page), page, id: \.id)
  }
}

/// `POST /v1/metrics`
struct CreateMetricHandler: Handler {
  let store: MetricStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let definition = try Self.definition(try BodyReader(request))
    let id = ids.make()
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(), action: "metric.created", targetType: "metric",
      targetID: id,
      payload: AuditPayload.of(["key": definition.key, "event_key": definition.eventKey]))
    guard let metric = try await store.create(id, definition, audit: audit) else {
      throw StorageError.failed(.postgres, "an INSERT returned no row")
    }
    return .json(metric, status: 201)
  }

  private static func definition(_ body: BodyReader) throws(APIError) -> MetricDefinition {
    body.allowOnly([
      "key", "name", "event_key", "kind", "aggregation", "unit_dedup_window", "property_path",
    ])
    body.require(["key", "name", "event_key", "kind"])
    let key = body.present("key", body.key("key", lengthMax: 128))
    let name = body.present("name", body.text("name", bytes: 1...200))
    let eventKey = body.present("event_key", body.key("event_key", lengthMax: 128))
    let kind = body.present("kind", body.choice("kind", Metric.Kind.self))
    let aggregation = body.present(
      "aggregation", body.choice("aggregation", Metric.Aggregation.self))
    let window = body.present("unit_dedup_window", body.text("unit_dedup_window", bytes: 1...64))
    if let window, ISODuration(window) == nil {
      body.note(
        "unit_dedup_window",
        "must be an ISO 8601 duration of weeks, or of days, hours, minutes and seconds")
    }
    var definition = MetricDefinition(
      key: key ?? "", name: name ?? "", eventKey: eventKey ?? "", kind: kind ?? .binary,
      propertyPath: body.text("property_path", bytes: 1...1024).valueOrNil)
    if let aggregation { definition.aggregation = aggregation }
    if let window { definition.unitDedupWindow = window }
    for problem in definition.unsupported() {
      body.note(String(problem.pointer.dropFirst()), problem.detail)
    }
    try body.finish()
    return definition
  }
}

extension Metric: JSONWritable {
  func write(to writer: inout JSONWriter) {
    writer.object { json in
      json.member("id", id)
      json.member("workspace_id", workspaceID)
      json.member("key", definition.key)
      json.member("name", definition.name)
      json.member("event_key", definition.eventKey)
      json.member("kind", definition.kind.rawValue)
      json.member("aggregation", definition.aggregation.rawValue)
      json.member("unit_dedup_window", definition.unitDedupWindow)
      json.member("property_path", definition.propertyPath)
    }
  }
}
