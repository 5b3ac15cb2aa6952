/// `DELETE /v1/assignments/{experiment}/{unit_id}`: the unit's next call is hashed anew.
struct ForceRebucketHandler: Handler {
  let experiments: ExperimentStore
  let vacancies: VacancyStore
  let assignments: AssignmentStore
  let ids: IDSource

  func answer(_ request: Request, for caller: Caller) async throws -> Response {
    let unit = try UnitInput.path(request.pathParameters[1])
    let experiment = try await experiments.find(
      named: request.pathParameters[0], request, for: caller)
    let audit = AuditEntry.ofUnit(unit, in: experiment, "assignment.rebucketed", caller, ids)
    guard try await vacancies.vacate(unit, in: experiment, audit: audit) else {
      throw APIError.notFound("assignment")
    }
    assignments.forget(unit, in: experiment.id)
    return .noContent
  }
}

extension AuditEntry {
  /// About one unit of an experiment. The log outlives the unit's data, so it names the unit by its
  /// hash.
  static func ofUnit(
    _ unit: UnitID, in experiment: Experiment, _ action: String, _ caller: Caller, _ ids: IDSource,
    variant: String? = nil
  ) -> AuditEntry {
    let hash = SHA256.hash(unit.bytes).hex
    let key = experiment.definition.key
    let payload =
      variant.map { AuditPayload.of(["key": key, "unit_sha256": hash, "variant": $0]) }
      ?? AuditPayload.of(["key": key, "unit_sha256": hash])
    return AuditEntry(
      id: ids.make(), actor: caller.actor(environment: experiment.definition.environmentID),
      action: action, targetType: "experiment", targetID: experiment.id, payload: payload)
  }
}

extension ExperimentStore {
  /// The experiment with this id, else the one with this key in the caller's environment.
  func find(named name: String, _ request: Request, for caller: Caller) async throws -> Experiment {
    let found = try await experiments(
      named: name, of: caller.key.workspaceID,
      environment: try caller.namedEnvironment(request)?.id)
    let id = ULID(name)
    if let experiment = found.first(where: { $0.id == id }) ?? (found.count == 1 ? found[0] : nil) {
      return experiment
    }
    if found.isEmpty { throw APIError.notFound("experiment") }
    throw APIError.validation([
      FieldProblem(
        pointer: "/path/experiment",
        detail: "several environments have it; name one in the header Splitstream-Environment")
    ])
  }
}
