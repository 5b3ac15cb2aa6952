/// `GET /v1/experiments`
struct ListExperimentsHandler: Handler {
  let store: ExperimentStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    var query = try QueryReader(request)
    let page = query.page()
    let status = query.choice("status", Experiment.Status.self)
    let environment = query.id("environment_id")
    try query.finish()
    // Another environment than the key's own has nothing that the key may see.
    if let environment, !caller.key.sees(environment: environment) {
      return Paging.response([Experiment](), page, id: \.id)
    }
    let filter = ExperimentStore.Filter(
      environmentID: environment ?? caller.key.environmentID, status: status,
      tag: query.text("tag"), owner: query.text("owner"))
    let experiments = try await store.experiments(
      of: caller.key.workspaceID, matching: filter, page: page)
    return Paging.response(experiments, page, id: \.id)
  }
}

/// `POST /v1/experiments`
struct CreateExperimentHandler: Handler {
  let store: ExperimentStore
  let references: ExperimentReferences
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let body = try BodyReader(request)
    let definition = try ExperimentInput.read(body, ids: ids)
    try await references.check(definition, for: caller)
    let id = ids.make()
    let audit = AuditEntry(
      id: ids.make(), actor: caller.actor(environment: definition.environmentID),
      action: "experiment.created",
      targetType: "experiment", targetID: id,
      payload: AuditPayload.of(["key": definition.key, "name": definition.name]))
    try await store.create(id, definition, audit: audit)
    return try await ExperimentResponse.read(id, from: store, for: caller, status: 201)
  }
}

/// `GET /v1/experiments/{id}`
struct GetExperimentHandler: Handler {
  let store: ExperimentStore

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let experiment = try await store.find(request.pathParameters[0], for: caller)
    let response = Response.experiment(experiment)
    guard let condition = request.headerText("if-none-match"),
      condition == "*" || experiment.isNamed(by: condition, isWeak: true)
    else { return response }
    // RFC 9110 §15.4.5: the fields that a 200 would have had to name its version.
    return Response(status: 304, headers: response.headers)
  }
}

/// What an experiment names must exist, and be the caller's to name.
struct ExperimentReferences {
  let metrics: MetricStore
  let groups: MutexGroupStore
  let segments: SegmentStore

  func check(_ definition: ExperimentDefinition, for caller: Caller) async throws {
    var problems: [FieldProblem] = []
    let environment = caller.catalogue.environment(definition.environmentID)
    if environment?.workspaceID != caller.key.workspaceID
      || !caller.key.sees(environment: definition.environmentID)
    {
      problems.append(
        FieldProblem(pointer: "/environment_id", detail: "there is no such environment"))
    }
    let named = (definition.primaryMetricID.map { [$0] } ?? []) + definition.guardrailMetricIDs
    let found = try await metrics.existing(named, in: caller.key.workspaceID)
    if let primary = definition.primaryMetricID, !found.contains(primary) {
      problems.append(
        FieldProblem(pointer: "/primary_metric_id", detail: "there is no such metric"))
    }
    for (index, metric) in definition.guardrailMetricIDs.enumerated() where !found.contains(metric)
    {
      problems.append(
        FieldProblem(pointer: "/guardrail_metric_ids/\(index)", detail: "there is no such metric"))
    }
    if let group = definition.mutexGroupID,
      try await groups.group(group, of: caller.key.workspaceID, environment: nil) == nil
    {
      problems.append(
        FieldProblem(pointer: "/mutex_group_id", detail: "there is no such mutex group"))
    }
    problems += try await unknownSegments(definition, for: caller)
    guard problems.isEmpty else { throw APIError.validation(problems) }
  }

  private func unknownSegments(
    _ definition: ExperimentDefinition, for caller: Caller
  ) async throws -> [FieldProblem] {
    let named = definition.audience?.expression.segments(at: "/audience") ?? []
    if named.isEmpty { return [] }
    let found = try await segments.existing(Set(named.map(\.key)), in: caller.key.workspaceID)
    return named.filter { !found.contains($0.key) }.map {
      FieldProblem(pointer: $0.pointer, detail: "there is no such segment")
    }
  }
}

extension ExperimentStore {
  /// The experiment with this id in what the caller may see.
  func find(_ id: String, for caller: Caller) async throws -> Experiment {
    guard let id = ULID(id),
      let experiment = try await experiment(
        id, of: caller.key.workspaceID, environment: caller.key.environmentID)
    else { throw APIError.notFound("experiment") }
    return experiment
  }
}

enum ExperimentResponse {
  static func read(
    _ id: ULID, from store: ExperimentStore, for caller: Caller, status: Int = 200
  ) async throws -> Response {
    .experiment(try await store.find(id.text, for: caller), status: status)
  }
}

extension Response {
  /// An experiment with the ETag that names its version.
  static func experiment(_ experiment: Experiment, status: Int = 200) -> Response {
    var response = Response.json(experiment, status: status)
    response.headers.append(("ETag", experiment.entityTag))
    return response
  }
}
