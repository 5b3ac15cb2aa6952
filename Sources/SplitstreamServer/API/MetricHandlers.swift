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
    let definition = try MetricInput.read(BodyReader(request))
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
}

/// `GET /v1/metrics/{id}`
struct GetMetricHandler: Handler {
  let store: MetricStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    .json(try await store.find(request.pathParameters[0], for: caller))
  }
}

/// `PATCH /v1/metrics/{id}`: what a started experiment measures by may get another name, not
/// another meaning.
struct UpdateMetricHandler: Handler {
  let store: MetricStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let current = try await store.find(request.pathParameters[0], for: caller)
    let definition = try MetricInput.read(BodyReader(request), changing: current.definition)
    if definition == current.definition { return .json(current) }
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(), action: "metric.updated", targetType: "metric",
      targetID: current.id,
      payload: AuditPayload.of(["key": definition.key, "event_key": definition.eventKey]))
    switch try await store.change(current.id, to: definition, audit: audit) {
    case .done(let metric): return .json(metric)
    case .gone: throw APIError.notFound("metric")
    case .measuring:
      throw APIError.conflict(
        "An experiment that has been started uses this metric; only its name and key may change.")
    }
  }
}

/// `DELETE /v1/metrics/{id}`: only one that no experiment names.
struct DeleteMetricHandler: Handler {
  let store: MetricStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let metric = try await store.find(request.pathParameters[0], for: caller)
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(), action: "metric.deleted", targetType: "metric",
      targetID: metric.id, payload: AuditPayload.of(["key": metric.definition.key]))
    do {
      guard try await store.delete(metric.id, audit: audit) else {
        throw APIError.notFound("metric")
      }
    } catch StorageError.inUse {
      throw APIError.conflict("An experiment uses this metric.")
    }
    return .noContent
  }
}

extension MetricStore {
  /// The metric with this id in the caller's workspace.
  fileprivate func find(_ id: String, for caller: Caller) async throws -> Metric {
    guard let id = ULID(id), let metric = try await metric(id, of: caller.key.workspaceID) else {
      throw APIError.notFound("metric")
    }
    return metric
  }
}

/// Reads MetricInput: whole for a creation, any subset of it for a change.
private enum MetricInput {
  static func read(
    _ body: BodyReader, changing current: MetricDefinition? = nil
  ) throws(APIError) -> MetricDefinition {
    body.allowOnly([
      "key", "name", "event_key", "kind", "aggregation", "unit_dedup_window", "property_path",
      "desired_direction",
    ])
    if current == nil { body.require(["key", "name", "event_key", "kind"]) }
    var definition =
      current ?? MetricDefinition(key: "", name: "", eventKey: "", kind: .binary)
    func set<T>(_ field: WritableKeyPath<MetricDefinition, T>, _ value: T?) {
      if let value { definition[keyPath: field] = value }
    }
    set(\.key, body.present("key", body.key("key", lengthMax: 128)))
    set(\.name, body.present("name", body.text("name", bytes: 1...200)))
    set(\.eventKey, body.present("event_key", body.key("event_key", lengthMax: 128)))
    set(\.kind, body.present("kind", body.choice("kind", Metric.Kind.self)))
    set(
      \.aggregation,
      body.present("aggregation", body.choice("aggregation", Metric.Aggregation.self)))
    set(\.unitDedupWindow, window(body))
    switch body.text("property_path", bytes: 1...1024) {
    case .absent: break
    case .null: definition.propertyPath = nil
    case .value(let text): definition.propertyPath = path(text, body)
    }
    set(
      \.desiredDirection,
      body.present("desired_direction", body.choice("desired_direction", Metric.Direction.self)))
    try body.finish()
    return definition
  }

  private static func path(_ text: String, _ body: BodyReader) -> PropertyPath? {
    let path = PropertyPath(text)
    if path == nil {
      body.note(
        "property_path",
        "must be $ and member names, each as .name or ['name'], such as $.order.total")
    }
    return path
  }

  private static func window(_ body: BodyReader) -> String? {
    let window = body.present("unit_dedup_window", body.text("unit_dedup_window", bytes: 1...64))
    if let window, ISODuration(window) == nil {
      body.note(
        "unit_dedup_window",
        "must be an ISO 8601 duration of weeks, or of days, hours, minutes and seconds")
    }
    return window
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
      json.member("property_path", definition.propertyPath?.text)
      json.member("desired_direction", definition.desiredDirection.rawValue)
    }
  }
}
