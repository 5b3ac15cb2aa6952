/// `GET /v1/experiments/{id}/results`: the latest snapshot, bytes as they were stored; as a table
/// for `Accept: text/plain`.
struct GetResultsHandler: Handler {
  let experiments: ExperimentStore
  let snapshots: SnapshotReader

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let experiment = try await experiments.find(request.pathParameters[0], for: caller)
    guard let snapshot = try await snapshots.latest(of: experiment.id) else {
      throw APIError.notFound("snapshot yet")
    }
    return try .snapshot(snapshot, of: experiment, for: request)
  }
}

/// `GET /v1/experiments/{id}/results/history`: newest first.
struct GetResultsHistoryHandler: Handler {
  let experiments: ExperimentStore
  let snapshots: SnapshotReader

  /// A year at the default cadence, and some on demand.
  private static let limitMax = 2500

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let page = try Paging.read(request, limitMax: Self.limitMax)
    let experiment = try await experiments.find(request.pathParameters[0], for: caller)
    let found = try await snapshots.history(of: experiment.id, page: page)
    let shown = found.prefix(page.limit - 1)
    var json = JSONWriter(bytesReserved: 64 * 1024)
    json.object { json in
      json.member("experiment_id", experiment.id)
      json.member("snapshots", array: shown) { $0.raw($1.result) }
      json.member("next_cursor", found.count > shown.count ? shown.last.map { $0.id.text } : nil)
    }
    return .json(json.bytes)
  }
}

/// `POST /v1/experiments/{id}/snapshots`: a snapshot of all that was accepted before this call,
/// now. It is a peek.
struct ComputeSnapshotHandler: Handler {
  /// Drains, computes and stores; answers the snapshot's JSON. App hands it in: the work is a
  /// job's, not a loop's.
  typealias Compute =
    @Sendable (_ experiment: ULID, _ shard: Int, _ peek: AuditEntry) async throws -> [UInt8]

  let experiments: ExperimentStore
  let ids: IDSource
  let compute: Compute

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let experiment = try await experiments.find(request.pathParameters[0], for: caller)
    guard experiment.startedAt != nil else {
      throw APIError.conflict("The experiment has not been started; there is nothing to analyse.")
    }
    guard let environment = caller.catalogue.environment(experiment.definition.environmentID) else {
      throw APIError.notFound("environment")
    }
    let peek = AuditEntry(
      id: ids.make(), actor: caller.actor(environment: environment.id),
      action: "experiment.peeked", targetType: "experiment", targetID: experiment.id,
      payload: AuditPayload.of(["key": experiment.definition.key]))
    let snapshot = try await compute(experiment.id, environment.shard, peek)
    return try .snapshot(snapshot, of: experiment, for: request, status: 201)
  }
}

extension Response {
  /// A stored snapshot, in the form that the caller accepts.
  static func snapshot(
    _ json: [UInt8], of experiment: Experiment, for request: Request, status: Int = 200
  ) throws -> Response {
    guard request.headerText("accept")?.hasPrefix("text/plain") == true else {
      return .json(json, status: status)
    }
    let report = SnapshotReport(
      try JSONValue(parsing: json), experimentKey: experiment.definition.key)
    return Response(
      status: status, headers: [], contentType: "text/plain; charset=utf-8",
      body: [UInt8](report.text.utf8))
  }
}
